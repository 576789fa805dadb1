#include "layer/layer.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "base/pool.h"
#include "entropy/adaptive_model-isa.h"
#include "simd/kernels.h"

namespace gi {

void check(const Quantizer& quantizer, const Layer& layer) {
  const size_t channels = static_cast<size_t>(quantizer.channels);
  const Shapes shapes(quantizer);
  for (size_t i = 0; i < layer.count(); ++i) {
    int64_t columns, rows;
    if (layer.precision[i] >= precisions) throw std::out_of_range("no such precision class");
    const int32_t* color = layer.color.data() + channels * i;
    for (size_t k = 0; k < channels; ++k) {
      if (GI_ISA::magnitude_of(color[k]) > GI_ISA::max_unsigned) {
        throw std::out_of_range("color out of range");
      }
    }
    if (!shapes.allow(layer.shape.data() + 3 * i, amplitude_class(color, quantizer.channels))) {
      throw std::out_of_range("size or elongation out of range");
    }
    grid_size(quantizer, layer.precision[i], columns, rows);
    const int32_t x = layer.position[2 * i], y = layer.position[2 * i + 1];
    if (x < 0 || y < 0 || x >= columns || y >= rows) {
      throw std::out_of_range("position outside of the grid");
    }
  }
}

void grid_size(const Quantizer& quantizer, int precision, int64_t& columns, int64_t& rows) {
  const int64_t cell = int64_t{1} << precision;
  columns = (quantizer.width * int64_t{16} + cell - 1) / cell;
  rows = (quantizer.height * int64_t{16} + cell - 1) / cell;
}

void dequantize(const Quantizer& quantizer, const Layer& layer, size_t begin, size_t end,
                double* means, double* cholesky, float* colors) {
  kernels().dequantize(quantizer, layer, begin, end, means, cholesky, colors);
}

void dequantize(const Quantizer& quantizer, const Layer& layer, int threads, double* means,
                double* cholesky, float* colors) {
  const size_t n = layer.count(), channels = static_cast<size_t>(quantizer.channels);
  const int parts = static_cast<int>(std::clamp<size_t>(n / 512, 1, 1024));
  parallel(parts, threads, [&](int part) {
    const size_t begin = n * static_cast<size_t>(part) / static_cast<size_t>(parts);
    const size_t end = n * static_cast<size_t>(part + 1) / static_cast<size_t>(parts);
    dequantize(quantizer, layer, begin, end, means + 2 * begin, cholesky + 3 * begin,
               colors + channels * begin);
  });
}

int amplitude_class(const int32_t* color, int channels) {
  uint64_t square = 0;
  for (int k = 0; k < channels; ++k) {
    const auto value =
        static_cast<uint64_t>(std::min<uint32_t>(GI_ISA::magnitude_of(color[k]), 4096));
    square += value * value;
  }
  // floor(log2(square) + 1/2) = floor(log2(2 square²) / 2).
  if (square == 0) return 0;
  return std::min((63 - __builtin_clzll(2 * square * square)) >> 1, 15);
}

double shape_step(const Quantizer& quantizer, int amplitude) {
  static constexpr double half_octaves[16] = {
      1.0,      0.7071067811865476,   0.5,       0.3535533905932738,  0.25,    0.1767766952966369,
      0.125,    0.08838834764831845,  0.0625,    0.04419417382415922, 0.03125, 0.02209708691207961,
      0.015625, 0.011048543456039806, 0.0078125, 0.005524271728019903};
  return std::min(quantizer.shape_step * half_octaves[amplitude], 0.7);
}

int32_t expected_size(const Quantizer& quantizer, int precision, int amplitude) {
  constexpr double ln2 = 0.6931471805599453;
  const double size = ln2 * (precision - 4 + 0.5 * amplitude);
  // No file has steps of zero, but a quantizer that is not set yet does.
  if (!(quantizer.shape_step > 0)) return 0;
  return static_cast<int32_t>(std::floor(size / shape_step(quantizer, amplitude) + 0.5));
}

}  // namespace gi
