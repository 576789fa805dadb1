// One Gaussian as the integers of a file, and moves of it that change its units.
#pragma once

#include <cstddef>
#include <cstdint>

#include "layer/layer.h"

namespace gi {

// A Gaussian as integers.
struct Coded {
  int precision, amplitude;
  int32_t x, y;
  int32_t color[4];
  int32_t shape[3];
};

// Gaussian i of a layer.
Coded coded_of(const Layer& layer, size_t i, int channels);

// The shape in the steps of another amplitude.
void set_amplitude(const Quantizer& quantizer, Coded& coded, int amplitude);

// The position in the cells of another class.
void set_precision(const Quantizer& quantizer, Coded& coded, int precision);

// Whether two differ in nothing but their colors.
bool same_geometry(const Coded& a, const Coded& b);

}  // namespace gi
