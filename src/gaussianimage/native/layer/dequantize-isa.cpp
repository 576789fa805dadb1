// Converts a layer's integers to the numbers that the engine draws. Compiled once for every
// instruction set, with the same bits on all of them.

#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/with_channels.h"
#include "layer/center_lattice.h"
#include "layer/dequantize.h"
#include "layer/layer.h"
#include "render/gaussians.h"
#include "simd/exp_double-isa.h"
#include "simd/kernel_parts-isa.h"
#include "simd/vector-isa.h"

namespace gi::GI_ISA {

namespace {

struct Integers {
  int32_t x[block_size], y[block_size], columns[block_size], rows[block_size];
  double cell[block_size];
  double color[max_channels][block_size];
  double shape[3][block_size];
};

struct Numbers {
  double x[block_size], y[block_size];
  double l11[block_size], l21[block_size], l22[block_size], size[block_size];
  float color[max_channels][block_size];
};

// Returns e^x for |x| < 100. It has the same bits on every machine, because it uses plain
// arithmetic.
GI_INLINE double exp_exact(double x) {
  const double n = std::floor(x * 1.4426950408889634 + 0.5);
  const double r = (x - n * 0.6931471803691238) - n * 1.9082149292705877e-10;
  double p = 1.0 / 6227020800.0;
  p = p * r + 1.0 / 479001600;
  p = p * r + 1.0 / 39916800;
  p = p * r + 1.0 / 3628800;
  p = p * r + 1.0 / 362880;
  p = p * r + 1.0 / 40320;
  p = p * r + 1.0 / 5040;
  p = p * r + 1.0 / 720;
  p = p * r + 1.0 / 120;
  p = p * r + 1.0 / 24;
  p = p * r + 1.0 / 6;
  p = p * r + 1.0 / 2;
  p = p * r + 1.0;
  p = p * r + 1.0;
  return p * exp2_shifted(n + rounding);
}

// Computes `shape_step` (layer/quantizer.h) in doubles. Squares are below 2^53, so the exponent of
// a square is its floored logarithm.
GI_INLINE double find_step(const double (&color)[max_channels][block_size], int i,
                           double shape_step) {
  double square = 0;
  for (int k = 0; k < max_channels; ++k) {
    const double level = std::min(std::fabs(color[k][i]), 4096.0);
    square += level * level;
  }
  const double twice = std::max(2 * square * square, 1.0);
  uint64_t bits;
  std::memcpy(&bits, &twice, sizeof bits);
  const uint64_t octaves = (bits >> 52) - 1023;  // twice the amplitude class, or that plus 1
  const uint64_t amplitude = std::min<uint64_t>(octaves >> 1, 15);
  const double half = exp2_shifted(rounding - static_cast<double>(amplitude >> 1));
  return std::min(shape_step * (amplitude & 1 ? half * sqrt_half : half), 0.7);
}

// Each step is a loop of its own, because in one large loop nothing hides the latency of an
// exponential.
GI_INLINE void find_centers(const Integers& g, const double (&d1)[block_size],
                            const double (&d2)[block_size], const int32_t* lattices, Numbers& out) {
  int32_t packed[block_size];
  for (int i = 0; i < block_size; ++i) packed[i] = lattices[lattice_number(d1[i], d2[i])];
  for (int i = 0; i < block_size; ++i) {
    int32_t across, down;
    locate_center(packed[i], g.columns[i], g.rows[i], g.x[i], g.y[i], across, down);
    out.x[i] = across * (g.cell[i] / 128);
    out.y[i] = down * (g.cell[i] / 128);
  }
}

GI_INLINE void find_geometry(const Integers& g, double shape_step, const int32_t* lattices,
                             Numbers& out) {
  double d1[block_size], d2[block_size], r[block_size], up[block_size];
  for (int i = 0; i < block_size; ++i) {
    const double step = find_step(g.color, i, shape_step);
    out.size[i] = g.shape[0][i] * step;
    d1[i] = g.shape[1][i] * step;
    d2[i] = g.shape[2][i] * step;
    r[i] = std::sqrt(d1[i] * d1[i] + d2[i] * d2[i]);
  }
  find_centers(g, d1, d2, lattices, out);
  for (int i = 0; i < block_size; ++i) out.size[i] = exp_exact(out.size[i]);
  for (int i = 0; i < block_size; ++i) up[i] = exp_exact(2 * r[i]);
  for (int i = 0; i < block_size; ++i) {
    const Factor factor = make_factor(d1[i], d2[i], r[i], up[i], out.size[i]);
    out.l11[i] = factor.l11;
    out.l21[i] = factor.l21;
    out.l22[i] = factor.l22;
  }
}

// Colors have unit energy: a color of norm 1 has ∫ |c|² exp(-2q) = 1, so c = b / (√π e^s). The
// basis is orthonormal: (1, 1, 1) / √3, (1, 0, -1) / √2, (-1, 2, -1) / √6.
template <bool rgb>
GI_INLINE void find_colors(const Integers& g, int i, double color_step, Numbers& out) {
  const double scale = color_step / (root_pi * out.size[i]);
  if constexpr (rgb) {
    const double y = scale * g.color[0][i] * rgb_basis[0][0];
    const double o = scale * g.color[1][i] * rgb_basis[1][0];
    const double c = scale * g.color[2][i] * -rgb_basis[2][0];
    out.color[0][i] = static_cast<float>(y + o - c);
    out.color[1][i] = static_cast<float>(y + 2 * c);
    out.color[2][i] = static_cast<float>(y - o - c);
    out.color[3][i] = static_cast<float>(scale * g.color[3][i]);
  } else {
    out.color[0][i] = static_cast<float>(scale * g.color[0][i]);
    out.color[1][i] = static_cast<float>(scale * g.color[1][i]);
  }
}

template <int channels>
void dequantize_channels(const Quantizer& quantizer, const Layer& layer, size_t begin, size_t end,
                         double* means, double* cholesky, float* colors) {
  const int32_t* const lattices = center_lattices();
  int32_t columns[precisions], rows[precisions];
  for (int j = 0; j < precisions; ++j) {
    int64_t across, down;
    grid_size(quantizer, j, across, down);
    columns[j] = static_cast<int32_t>(across);
    rows[j] = static_cast<int32_t>(down);
  }
  Integers g = {};
  Numbers out;
  for (size_t at = begin; at < end; at += block_size) {
    const int count = static_cast<int>(std::min<size_t>(block_size, end - at));
    for (int i = 0; i < block_size; ++i) {
      const size_t from = at + static_cast<size_t>(std::min(i, count - 1));
      g.cell[i] = static_cast<double>(1 << layer.precision[from]) / 16;
      g.columns[i] = columns[layer.precision[from]];
      g.rows[i] = rows[layer.precision[from]];
      g.x[i] = layer.position[2 * from];
      g.y[i] = layer.position[2 * from + 1];
      for (int k = 0; k < channels; ++k) g.color[k][i] = layer.color[channels * from + k];
      for (int k = 0; k < 3; ++k) g.shape[k][i] = layer.shape[3 * from + k];
    }
    find_geometry(g, quantizer.shape_step, lattices, out);
    for (int i = 0; i < block_size; ++i)
      find_colors<channels >= 3>(g, i, quantizer.color_step, out);
    for (int i = 0; i < count; ++i, means += 2, cholesky += 3, colors += channels) {
      means[0] = out.x[i];
      means[1] = out.y[i];
      cholesky[0] = out.l11[i];
      cholesky[1] = out.l21[i];
      cholesky[2] = out.l22[i];
      for (int k = 0; k < channels; ++k) colors[k] = out.color[k][i];
    }
  }
}

}  // namespace

void dequantize(const Quantizer& quantizer, const Layer& layer, size_t begin, size_t end,
                double* means, double* cholesky, float* colors) {
  with_channels(quantizer.channels, [&](auto c) {
    dequantize_channels<c>(quantizer, layer, begin, end, means, cholesky, colors);
  });
}

}  // namespace gi::GI_ISA
