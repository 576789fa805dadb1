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

// The blocks of a row that a Gaussian touches, and what its weights there depend on.
struct Row {
  int y, begin, end;  // columns begin to end are touched; begin is a multiple of 8
  Half minus_a, minus_c, slope, up, least;

  // Returns whether the Gaussian touches row y.
  GI_INLINE bool find(const Planes& planes, const SingleGaussian& gaussian, int row) {
    y = row;
    begin = 0;
    end = -1;
    const float dy = static_cast<float>(y + 0.5 - gaussian.y);
    // Along the row q is A dx² + B dx + C + q_max, and at most q_max between two roots. The range
    // gets a hundredth of a pixel more because of single precision; the test of q decides which
    // pixels are inside.
    const float s = static_cast<float>(gaussian.s), c = static_cast<float>(gaussian.c);
    const float most = static_cast<float>(gaussian.q_max);
    const float A = static_cast<float>(gaussian.a) + 0.5f * c * s * s, B = c * s * dy;
    const float square = B * B - 4 * A * (0.5f * c * dy * dy - most);
    if (!(square > 0)) return false;
    const float root = std::sqrt(square), scale = 0.5f / A,
                middle = static_cast<float>(gaussian.x) - 0.5f;
    const float last = static_cast<float>(planes.width - 1);
    begin = static_cast<int>(std::clamp(middle - (B + root) * scale + 0.99f, 0.0f, last)) & ~7;
    end = static_cast<int>(std::clamp(middle - (B - root) * scale + 0.01f, -1.0f, last));
    minus_a = Half::splat(-static_cast<float>(gaussian.a));
    minus_c = Half::splat(-0.5f * c);
    slope = Half::splat(s), up = Half::splat(dy), least = Half::splat(-most);
    return true;
  }

  // Returns the weights of the 8 pixels from column x on.
  GI_INLINE Half weights(const Planes& planes, const SingleGaussian& gaussian, int x) const {
    const Half steps = Half::load(column_numbers);
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
    if (planes.roots) weight = weight * Half::load(planes.roots + y * planes.stride + x);
    return weight;
  }
};

// Calls body(x, weights) for every block of 8 pixels that the Gaussian touches in row y; `x` is the
// block's first column.
template <typename Body>
GI_INLINE void for_each_block(const Planes& planes, const SingleGaussian& gaussian, int y,
                              Body&& body) {
  Row row;
  if (!row.find(planes, gaussian, y)) return;
  for (int x = row.begin; x <= row.end; x += 8) body(x, row.weights(planes, gaussian, x));
}

// Calls body(y, x, weights) for the 8 pixels of every row and column that the Gaussian touches, 4
// rows at a time, and then(i, left, right) after these 4 rows with the sums of the weights in two
// blocks of 4 × 4 pixels, of which number i is the left one.
template <typename Body, typename Then>
GI_INLINE void for_each_tile(const Planes& planes, const SingleGaussian& gaussian, Body&& body,
                             Then&& then) {
  for (int first = gaussian.top & ~3; first < gaussian.bottom; first += 4) {
    Row rows[4];
    int count = 0, begin = planes.width, end = -1;
    for (int y = std::max(first, gaussian.top); y < std::min(first + 4, gaussian.bottom); ++y) {
      if (!rows[count].find(planes, gaussian, y)) continue;
      begin = std::min(begin, rows[count].begin);
      end = std::max(end, rows[count].end);
      ++count;
    }
    for (int x = begin; x <= end; x += 8) {
      Half total = Half::splat(0.0f);
      for (int i = 0; i < count; ++i) {
        if (x < rows[i].begin || x > rows[i].end) continue;
        const Half weight = rows[i].weights(planes, gaussian, x);
        total = total + weight;
        body(rows[i].y, x, weight);
      }
      alignas(64) float w[8];
      total.store(w);
      then(first / 4 * planes.block_stride() + x / 4, (w[0] + w[1]) + (w[2] + w[3]),
           (w[4] + w[5]) + (w[6] + w[7]));
    }
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

template <int Channels>
void correlate_tiles(const Planes& planes, const SingleGaussian& gaussian, double* sums) {
  Half totals[Channels + 1];
  for (Half& total : totals) total = Half::splat(0.0f);
  double blocks[Channels + 1] = {};
  for_each_tile(
      planes, gaussian,
      [&](int y, int x, Half weight) __attribute__((always_inline)) {
        const float* row = planes.data + y * planes.stride + x;
        for (int k = 0; k < Channels; ++k) {
          totals[k] = madd(weight, Half::load(row + k * planes.plane), totals[k]);
        }
        totals[Channels] = madd(weight, weight, totals[Channels]);
      },
      [&](ptrdiff_t i, float left, float right) __attribute__((always_inline)) {
        for (int k = 0; k < Channels; ++k) {
          const float* of = planes.block_sums + k * planes.block_plane() + i;
          blocks[k] += static_cast<double>(left * of[0] + right * of[1]);
        }
        blocks[Channels] += static_cast<double>(left * left + right * right);
      });
  for (int k = 0; k <= Channels; ++k) {
    sums[k] = static_cast<double>(sum(totals[k])) + planes.block_weight / 16 * blocks[k];
  }
}

template <int Channels>
void draw_tiles(const Planes& planes, const SingleGaussian& gaussian, const float* color) {
  Half colors[Channels];
  for (int k = 0; k < Channels; ++k) colors[k] = Half::splat(color[k]);
  for_each_tile(
      planes, gaussian,
      [&](int y, int x, Half weight) __attribute__((always_inline)) {
        float* row = planes.data + y * planes.stride + x;
        for (int k = 0; k < Channels; ++k) {
          float* pixels = row + k * planes.plane;
          madd(weight, colors[k], Half::load(pixels)).store(pixels);
        }
      },
      [&](ptrdiff_t i, float left, float right) __attribute__((always_inline)) {
        for (int k = 0; k < Channels; ++k) {
          float* of = planes.block_sums + k * planes.block_plane() + i;
          of[0] += left * color[k];
          of[1] += right * color[k];
        }
      });
}

}  // namespace

void correlate(const Planes& planes, const SingleGaussian& gaussian, double* sums) {
  with_channels(planes.channels, [&](auto c) {
    if (planes.block_sums) {
      correlate_tiles<c>(planes, gaussian, sums);
    } else {
      correlate_channels<c>(planes, gaussian, sums);
    }
  });
}

void draw_gaussian(const Planes& planes, const SingleGaussian& gaussian, const float* color) {
  with_channels(planes.channels, [&](auto c) {
    if (planes.block_sums) {
      draw_tiles<c>(planes, gaussian, color);
    } else {
      draw_channels<c>(planes, gaussian, color);
    }
  });
}

}  // namespace gi::GI_ISA
