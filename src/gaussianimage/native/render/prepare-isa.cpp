// Prepares Gaussians for drawing: their footprints and the numbers of the row loops. Compiled once
// for every instruction set.

#include <algorithm>
#include <cmath>
#include <cstring>

#include "render/gaussians.h"
#include "simd/exp_double-isa.h"
#include "simd/kernel_parts-isa.h"
#include "simd/vector-isa.h"

namespace gi::GI_ISA {
namespace {

// Lanes outside the ellipse underflow to zero and stay there until the chain of weights restarts.
// It must restart before such a lane can enter the ellipse.
constexpr double chain_range = 78.0;

// Returns exp(x) for x <= 0 with a relative error below 1e-9. The function has the same bits on
// every platform, and no branches or calls, so that a loop of it becomes vectors.
GI_INLINE double exp_negative(double x) {
  x = std::max(x, -700.0);
  const double shifted = x * 1.4426950408889634 + rounding;
  const double n = shifted - rounding;
  const double r = (x - n * 0.6931471803691238) - n * 1.9082149292705877e-10;
  double p = 1.0 / 40320;
  p = p * r + 1.0 / 5040;
  p = p * r + 1.0 / 720;
  p = p * r + 1.0 / 120;
  p = p * r + 1.0 / 24;
  p = p * r + 1.0 / 6;
  p = p * r + 0.5;
  p = p * r + 1.0;
  p = p * r + 1.0;
  return p * exp2_shifted(shifted);
}

// The intermediate results of `prepare` for a block of Gaussians. Those that cannot be drawn have
// harmless values.
struct Intermediate {
  double x[block_size], y[block_size], l11[block_size], l21[block_size], l22[block_size];
  double inverse11[block_size], inverse22[block_size], s[block_size], k21[block_size],
      k22[block_size], reach[block_size];
  double low[block_size], high[block_size], top[block_size], bottom[block_size], run[block_size];
  double e1[block_size];
};

GI_INLINE void prepare_together(Intermediate& g, double q_max, double height) {
  const double k = std::sqrt(2 * q_max);
  // The most row pairs of a run, per pixel of l22: within a run a lane at the edge of the range,
  // u²/2 = chain_range l22², must not reach the ellipse, u²/2 = q_max l22².
  const double pairs = (std::sqrt(2 * chain_range) - k) * 0.5;
  constexpr double strips = 1.0 / cell_width;
  // Separate loops, because one loop would be too long to hide the latency of an exponential.
  for (int i = 0; i < block_size; ++i) {
    g.inverse11[i] = 1 / g.l11[i];
    g.inverse22[i] = 1 / g.l22[i];
  }
  for (int i = 0; i < block_size; ++i) g.e1[i] = exp_negative(-g.inverse22[i] * g.inverse22[i]);
  for (int i = 0; i < block_size; ++i) {
    g.s[i] = -g.l21[i] * g.inverse11[i];
    g.run[i] = pairs * g.l22[i];
    g.k21[i] = static_cast<float>(k * g.l21[i]);
    g.k22[i] = static_cast<float>(k * g.l22[i]);
    g.reach[i] = std::sqrt(g.k21[i] * g.k21[i] + g.k22[i] * g.k22[i]);
    g.low[i] = std::floor((g.x[i] - k * g.l11[i] - (0.5 + 1e-3)) * strips);
    g.high[i] = std::floor((g.x[i] + k * g.l11[i] - (0.5 - 1e-3)) * strips) + 1;
    g.top[i] = std::min(std::max(std::floor(g.y[i] - g.reach[i]), 0.0), height);
    g.bottom[i] = std::min(std::max(std::ceil(g.y[i] + g.reach[i]), 0.0), height);
  }
}

}  // namespace

void prepare(const Source& source, const Window& window, int longest, int begin, int end,
             PreparedGaussian* prepared, Footprint* footprints) {
  constexpr double log2e = 1.4426950408889634;
  const double k = std::sqrt(2 * source.q_max), height = window.height;
  const double strips = count_strips(window.width);
  const size_t channels = static_cast<size_t>(source.channels);
  Intermediate g;
  for (const int first = begin; begin < end; begin += block_size) {
    const int count = std::min(block_size, end - begin);
    bool drawable[block_size];
    for (int i = 0; i < block_size; ++i) {
      const size_t at = static_cast<size_t>(begin + std::min(i, count - 1));
      const double x = source.means[2 * at] - window.left;
      const double y = source.means[2 * at + 1] - window.top;
      const double* const cholesky = source.cholesky + 3 * at;
      const bool ok = is_drawable(x, y, cholesky, source.colors + channels * at, source.channels);
      drawable[i] = ok;
      g.x[i] = ok ? x : 0;
      g.y[i] = ok ? y : 0;
      g.l11[i] = ok ? cholesky[0] : 1;
      g.l21[i] = ok ? cholesky[1] : 0;
      g.l22[i] = ok ? cholesky[2] : 1;
    }
    prepare_together(g, source.q_max, height);
    for (int i = 0; i < count; ++i) {
      Footprint& footprint = footprints[begin - first + i];
      footprint.strip0 = footprint.strip1 = footprint.rows = 0;
      // Leave a Gaussian out if it covers no row: it would cost time in every strip.
      if (!drawable[i] || g.high[i] <= 0 || g.low[i] >= strips || g.top[i] >= g.bottom[i]) continue;
      const int pairs = static_cast<int>(std::min(g.run[i], static_cast<double>(longest)));
      footprint.x = g.x[i];
      footprint.y = g.y[i];
      footprint.s = g.s[i];
      footprint.t = static_cast<float>(g.inverse11[i] / k);
      footprint.k21 = static_cast<float>(g.k21[i]);
      footprint.k22 = static_cast<float>(g.k22[i]);
      footprint.rho = static_cast<float>(g.k21[i] / g.reach[i]);
      footprint.strip0 = static_cast<int32_t>(std::max(g.low[i], 0.0));
      footprint.strip1 = static_cast<int32_t>(std::min(g.high[i], strips));
      // The height within a strip: what its axis climbs over 7 columns, plus its own height.
      const double height_here = 7 * std::fabs(g.s[i]) + 2 * g.k22[i];
      footprint.rows = static_cast<int32_t>(std::min(g.bottom[i] - g.top[i], height_here + 2));
      footprint.longest = pairs >= 2 ? pairs : cell_pairs;
      PreparedGaussian& gaussian = prepared[begin - first + i];
      const double inverse22 = g.inverse22[i], e1 = g.e1[i], e2 = e1 * e1;
      gaussian.x2 = static_cast<float>(-0.5 * log2e * g.inverse11[i] * g.inverse11[i]);
      gaussian.u2 = static_cast<float>(-0.5 * log2e * inverse22 * inverse22);
      gaussian.s = static_cast<float>(g.s[i]);
      gaussian.e1 = static_cast<float>(e1);
      gaussian.e2 = static_cast<float>(e2);
      gaussian.e4 = static_cast<float>(e2 * e2);
      gaussian.run = pairs >= 2 ? pairs : 0;
      std::memset(gaussian.colors, 0, sizeof gaussian.colors);
      for (size_t j = 0; j < channels; ++j) {
        gaussian.colors[j] = source.colors[channels * static_cast<size_t>(begin + i) + j];
      }
    }
  }
}

}  // namespace gi::GI_ISA
