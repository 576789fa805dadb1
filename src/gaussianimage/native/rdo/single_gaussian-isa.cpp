// Draws one Gaussian, and correlates a residual with one. Compiled once for every instruction set.
//
// A block is 8 pixels of a row. It costs an exponential, which takes most of the time, and two
// operations per channel.

#include "rdo/single_gaussian.h"

#include <algorithm>
#include <cmath>

#include "base/with_channels.h"
#include "simd/kernel_parts-isa.h"
#include "simd/vector-isa.h"

namespace gi::GI_ISA {
namespace {

// The number of rows that are summed in single precision.
constexpr int rows_per_sum = 16;

// Calls body(x, weights) for every block that the Gaussian touches in row y; `x` is the block's
// first column.
template <typename Body>
GI_INLINE void for_each_block(const Planes& planes, const SingleGaussian& gaussian, int y,
                              Body&& body) {
  const float dy = static_cast<float>(y + 0.5 - gaussian.y);
  // Along the row q is A dx² + B dx + C + q_max, and at most q_max between two roots. The range
  // gets a hundredth of a pixel more because of single precision; the test of q decides which
  // pixels are inside.
  const float s = static_cast<float>(gaussian.s), c = static_cast<float>(gaussian.c);
  const float most = static_cast<float>(gaussian.q_max);
  const float A = static_cast<float>(gaussian.a) + 0.5f * c * s * s, B = c * s * dy;
  const float square = B * B - 4 * A * (0.5f * c * dy * dy - most);
  if (!(square > 0)) return;
  const float root = std::sqrt(square), scale = 0.5f / A,
              middle = static_cast<float>(gaussian.x) - 0.5f;
  const float last = static_cast<float>(planes.width - 1);
  const int begin = static_cast<int>(std::clamp(middle - (B + root) * scale + 0.99f, 0.0f, last));
  const int end = static_cast<int>(std::clamp(middle - (B - root) * scale + 0.01f, -1.0f, last));
  const Half steps = Half::load(column_numbers);
  const Half minus_a = Half::splat(-static_cast<float>(gaussian.a));
  const Half minus_c = Half::splat(-0.5f * c);
  const Half slope = Half::splat(s), up = Half::splat(dy), least = Half::splat(-most);
  for (int x = begin & ~7; x <= end; x += 8) {
    const Half dx = Half::splat(static_cast<float>(x + 0.5 - gaussian.x)) + steps;
    const Half u = madd(slope, dx, up);
    const Half q = madd(minus_c * u, u, minus_a * dx * dx);
    Half weight = exp2(q * Half::splat(1.44269504f));
    for (int i = 0; i < Half::parts; ++i) {
      const Half::Int inside = q.v[i] >= least.v[i];
      weight.v[i] = (Half::Float)((Half::Int)weight.v[i] & inside);
    }
    if (x + 8 > planes.width) {
      alignas(64) float w[8];
      weight.store(w);
      for (int i = planes.width - x; i < 8; ++i) w[i] = 0;
      weight = Half::load(w);
    }
    body(x, weight);
  }
}

template <int Channels>
void correlate_channels(const Planes& planes, const SingleGaussian& gaussian, double* sums) {
  for (int k = 0; k <= Channels; ++k) sums[k] = 0;
  for (int first = gaussian.top; first < gaussian.bottom; first += rows_per_sum) {
    Half totals[Channels + 1];
    for (Half& total : totals) total = Half::splat(0.0f);
    for (int y = first; y < std::min(first + rows_per_sum, gaussian.bottom); ++y) {
      const float* row = planes.data + y * planes.stride;
      for_each_block(planes, gaussian, y, [&](int x, Half weight) __attribute__((always_inline)) {
        for (int k = 0; k < Channels; ++k) {
          totals[k] = madd(weight, Half::load(row + k * planes.plane + x), totals[k]);
        }
        totals[Channels] = madd(weight, weight, totals[Channels]);
      });
    }
    for (int k = 0; k <= Channels; ++k) sums[k] += static_cast<double>(sum(totals[k]));
  }
}

template <int Channels>
void draw_channels(const Planes& planes, const SingleGaussian& gaussian, const float* color) {
  Half colors[Channels];
  for (int k = 0; k < Channels; ++k) colors[k] = Half::splat(color[k]);
  for (int y = gaussian.top; y < gaussian.bottom; ++y) {
    float* row = planes.data + y * planes.stride;
    for_each_block(planes, gaussian, y, [&](int x, Half weight) __attribute__((always_inline)) {
      for (int k = 0; k < Channels; ++k) {
        float* pixels = row + k * planes.plane + x;
        madd(weight, colors[k], Half::load(pixels)).store(pixels);
      }
    });
  }
}

}  // namespace

void correlate(const Planes& planes, const SingleGaussian& gaussian, double* sums) {
  with_channels(planes.channels, [&](auto c) { correlate_channels<c>(planes, gaussian, sums); });
}

void draw_gaussian(const Planes& planes, const SingleGaussian& gaussian, const float* color) {
  with_channels(planes.channels, [&](auto c) { draw_channels<c>(planes, gaussian, color); });
}

}  // namespace gi::GI_ISA
