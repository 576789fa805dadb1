// Drawing one Gaussian and weighing a residual by one: compiled once for every instruction set.
//
// A block is 8 pixels of a row; it costs an exponential, which is most of the time, and two
// operations for each channel.

#include "rdo/single_gaussian-isa.h"

#include <algorithm>
#include <cmath>

#include "simd/vector-isa.h"

namespace gi::GI_ISA {
namespace {

// Rows whose sums are kept in single precision.
constexpr int rows_per_sum = 16;

alignas(64) constexpr float lanes[8] = {0, 1, 2, 3, 4, 5, 6, 7};

// Calls body(block, weights) for every block that the patch touches in row y; `block` is the number
// of the block's first pixel.
template <typename Body>
GI_INLINE void visit_row(const Planes& planes, const Patch& patch, int y, Body&& body) {
  const float dy = static_cast<float>(y + 0.5 - patch.y);
  // q along the row is A dx² + B dx + C + q_max, and within q_max between two roots. A hundredth of
  // a pixel more makes up for single precision; which pixels are inside, q itself tells.
  const float s = static_cast<float>(patch.s), c = static_cast<float>(patch.c);
  const float most = static_cast<float>(patch.q_max);
  const float A = static_cast<float>(patch.a) + 0.5f * c * s * s, B = c * s * dy;
  const float square = B * B - 4 * A * (0.5f * c * dy * dy - most);
  if (!(square > 0)) return;
  const float root = std::sqrt(square), scale = 0.5f / A,
              middle = static_cast<float>(patch.x) - 0.5f;
  const float last = static_cast<float>(planes.width - 1);
  const int begin = static_cast<int>(std::clamp(middle - (B + root) * scale + 0.99f, 0.0f, last));
  const int end = static_cast<int>(std::clamp(middle - (B - root) * scale + 0.01f, -1.0f, last));
  const Half steps = Half::load(lanes);
  const Half minus_a = Half::splat(-static_cast<float>(patch.a));
  const Half minus_c = Half::splat(-0.5f * c);
  const Half slope = Half::splat(s), up = Half::splat(dy), least = Half::splat(-most);
  for (int x = begin & ~7; x <= end; x += 8) {
    const Half dx = Half::splat(static_cast<float>(x + 0.5 - patch.x)) + steps;
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
void weigh_channels(const Planes& planes, const Patch& patch, double* sums) {
  for (int k = 0; k <= Channels; ++k) sums[k] = 0;
  for (int first = patch.top; first < patch.bottom; first += rows_per_sum) {
    Half totals[Channels + 1];
    for (Half& total : totals) total = Half::splat(0.0f);
    for (int y = first; y < std::min(first + rows_per_sum, patch.bottom); ++y) {
      const float* row = planes.data + y * planes.stride;
      visit_row(planes, patch, y, [&](int x, Half weight) __attribute__((always_inline)) {
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
void draw_channels(const Planes& planes, const Patch& patch, const float* color) {
  Half colors[Channels];
  for (int k = 0; k < Channels; ++k) colors[k] = Half::splat(color[k]);
  for (int y = patch.top; y < patch.bottom; ++y) {
    float* row = planes.data + y * planes.stride;
    visit_row(planes, patch, y, [&](int x, Half weight) __attribute__((always_inline)) {
      for (int k = 0; k < Channels; ++k) {
        float* pixels = row + k * planes.plane + x;
        madd(weight, colors[k], Half::load(pixels)).store(pixels);
      }
    });
  }
}

}  // namespace

void weigh(const Planes& planes, const Patch& patch, double* sums) {
  switch (planes.channels) {
    case 1:
      return weigh_channels<1>(planes, patch, sums);
    case 2:
      return weigh_channels<2>(planes, patch, sums);
    case 3:
      return weigh_channels<3>(planes, patch, sums);
    default:
      return weigh_channels<4>(planes, patch, sums);
  }
}

void draw(const Planes& planes, const Patch& patch, const float* color) {
  switch (planes.channels) {
    case 1:
      return draw_channels<1>(planes, patch, color);
    case 2:
      return draw_channels<2>(planes, patch, color);
    case 3:
      return draw_channels<3>(planes, patch, color);
    default:
      return draw_channels<4>(planes, patch, color);
  }
}

}  // namespace gi::GI_ISA
