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

// Returns Gaussian i of a layer.
QuantizedGaussian read_gaussian(const Layer& layer, size_t i, int channels);

// Converts the shape to the steps of another amplitude class.
void set_amplitude(const Quantizer& quantizer, QuantizedGaussian& gaussian, int amplitude);

// Converts the position to the cells of another precision class.
void set_precision(const Quantizer& quantizer, QuantizedGaussian& gaussian, int precision);

// Whether two Gaussians are equal except for their colors.
bool same_geometry(const QuantizedGaussian& a, const QuantizedGaussian& b);

}  // namespace gi
