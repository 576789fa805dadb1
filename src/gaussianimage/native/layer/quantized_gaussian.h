// One Gaussian as the integers of a file, and moves of it that change its units.
#pragma once

#include <cstddef>
#include <cstdint>

#include "layer/layer.h"

namespace gi {

// A Gaussian as integers.
struct QuantizedGaussian {
  int precision, amplitude;
  int32_t x, y;
  int32_t color[4];
  int32_t shape[3];
};

// Gaussian i of a layer.
QuantizedGaussian read_gaussian(const Layer& layer, size_t i, int channels);

// The shape in the steps of another amplitude.
void set_amplitude(const Quantizer& quantizer, QuantizedGaussian& gaussian, int amplitude);

// The position in the cells of another class.
void set_precision(const Quantizer& quantizer, QuantizedGaussian& gaussian, int precision);

// Whether two differ in nothing but their colors.
bool same_geometry(const QuantizedGaussian& a, const QuantizedGaussian& b);

}  // namespace gi
