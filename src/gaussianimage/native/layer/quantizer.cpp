#include "layer/quantizer.h"

#include <algorithm>
#include <cmath>

#include "entropy/buckets.h"

namespace gi {

void grid_size(const Quantizer& quantizer, int precision, int64_t& columns, int64_t& rows) {
  const int64_t cell = int64_t{1} << precision;
  columns = (quantizer.width * int64_t{16} + cell - 1) / cell;
  rows = (quantizer.height * int64_t{16} + cell - 1) / cell;
}

int amplitude_class(const int32_t* color, int channels) {
  uint64_t square = 0;
  for (int k = 0; k < channels; ++k) {
    const auto value = static_cast<uint64_t>(std::min<uint32_t>(absolute(color[k]), 4096));
    square += value * value;
  }
  // floor(log2(square) + 1/2) = floor(log2(2 square²) / 2).
  if (square == 0) return 0;
  return std::min((63 - __builtin_clzll(2 * square * square)) >> 1, 15);
}

double shape_step(const Quantizer& quantizer, int amplitude) {
  // 2^(-amplitude / 2): a division by a power of two is exact.
  const double half_octaves = (amplitude & 1 ? sqrt_half : 1.0) / (1 << (amplitude >> 1));
  return std::min(quantizer.shape_step * half_octaves, 0.7);
}

int32_t expected_size(const Quantizer& quantizer, int precision, int amplitude) {
  constexpr double ln2 = 0.6931471805599453;
  const double size = ln2 * (precision - 4.5 + 0.5 * amplitude);
  // No file has steps of zero, but a quantizer that is not set yet does.
  if (!(quantizer.shape_step > 0)) return 0;
  return static_cast<int32_t>(std::floor(size / shape_step(quantizer, amplitude) + 0.5));
}

}  // namespace gi
