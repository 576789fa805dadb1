// One Gaussian as the integers of a file, and changes of its steps.
#pragma once

#include <cstddef>
#include <cstdint>

#include "layer/layer.h"

namespace gi {

// A Gaussian as the integers of a file, with its amplitude class.
struct QuantizedGaussian {
  int precision, amplitude;
  int32_t x, y;
  int32_t color[4];
  int32_t shape[3];
};

struct Point {
  double x, y;
};

// Returns Gaussian i of a layer.
QuantizedGaussian read_gaussian(const Layer& layer, size_t i, int channels);

// Returns the center in pixels.
Point center_of(const Quantizer& quantizer, const QuantizedGaussian& gaussian);

// Moves the center to the nearest point of its lattice, by the Gaussian's own metric.
void set_center(const Quantizer& quantizer, QuantizedGaussian& gaussian, Point center);

// The way in pixels from a center to the next column of its lattice, and to the next point of its
// column.
struct CenterSteps {
  Point column, point;
};
CenterSteps center_steps(const Quantizer& quantizer, const QuantizedGaussian& gaussian);

// Converts the shape to the steps of another amplitude class, and the center to its lattice.
void set_amplitude(const Quantizer& quantizer, QuantizedGaussian& gaussian, int amplitude);

// Converts the position to the cells of another precision class.
void set_precision(const Quantizer& quantizer, QuantizedGaussian& gaussian, int precision);

// Whether two Gaussians are equal except for their colors.
bool same_geometry(const QuantizedGaussian& a, const QuantizedGaussian& b);

}  // namespace gi
