// Draws one Gaussian, and correlates a residual with one. Compiled once for every instruction set.
//
// Down a strip of 8 columns, weights follow the recurrence of render/accumulate-isa.cpp: a row pair
// costs two multiplications and the cut, and two operations per channel. A strip costs an
// exponential of 16 lanes, and a Gaussian of usual size touches two or three strips.

#include "rdo/single_gaussian.h"

#include <algorithm>
#include <cmath>

#include "base/with_channels.h"
#include "simd/kernel_parts-isa.h"
#include "simd/vector-isa.h"

namespace gi::GI_ISA {
namespace {

// The most row pairs that a chain of weights may have. Lanes outside of the ellipse underflow to
// zero, so the chain restarts before a lane can enter the ellipse: see render/prepare-isa.cpp.
constexpr double chain_range = 78.0;
constexpr int longest_chain = 14;

// The number of row pairs that are summed in single precision.
constexpr int pairs_per_sum = 64;

// What a Gaussian's weights depend on, and where it is.
struct Shape {
  double x, y, slope, k21, k22, reach, rho, t_per_pixel;
  Half x2, u2, e1, e2;
  Wide e4, least;
  int tiles;  // of a chain; 0: every row pair takes an exponential

  GI_INLINE explicit Shape(const SingleGaussian& gaussian) {
    constexpr double log2e = 1.4426950408889634;
    const double k = std::sqrt(2 * gaussian.q_max);
    const double i1 = 1 / gaussian.l11, i2 = 1 / gaussian.l22;
    x = gaussian.x, y = gaussian.y;
    slope = -gaussian.l21 * i1;
    reach = k * gaussian.l11;
    t_per_pixel = 1 / reach;
    k21 = k * gaussian.l21, k22 = k * gaussian.l22;
    rho = k21 / std::sqrt(k21 * k21 + k22 * k22);
    x2 = Half::splat(static_cast<float>(-0.5 * log2e * i1 * i1));
    u2 = Half::splat(static_cast<float>(-0.5 * log2e * i2 * i2));
    e1 = exp2(u2 + u2);
    e2 = e1 * e1;
    const Half e4_half = e2 * e2;
    e4 = join(e4_half, e4_half);
    const float log_least = static_cast<float>(-gaussian.q_max * log2e);
    const Half least_half = exp2(Half::splat(log_least));
    least = join(least_half, least_half);
    const double pairs = (std::sqrt(2 * chain_range) - k) * 0.5 * gaussian.l22;
    tiles = static_cast<int>(std::min(pairs, double{longest_chain})) / 2;
  }
};

// Weights of a row pair and their ratios to the pair after it.
struct Chain {
  Wide w, r;

  GI_INLINE Chain(const Shape& shape, Half dx, Half u) {
    const Half log_w = shape.x2 * dx * dx + shape.u2 * u * u;
    const Half log_step = (shape.u2 + shape.u2) * (u + Half::splat(0.5f));
    const Wide both = exp2(join(log_w, log_step));
    const Half w0 = first_half(both), step = second_half(both);
    const Half r0 = step * step * shape.e1;
    w = join(w0, w0 * step);
    r = join(r0, r0 * shape.e2);
  }
};

GI_INLINE Wide exact(const Shape& shape, Half dx, Half u) {
  const Half qx = shape.x2 * dx * dx, below = u + Half::splat(1.0f);
  return exp2(join(qx + shape.u2 * u * u, qx + shape.u2 * below * below));
}

// Sets the weights of rows and columns beyond the picture to zero.
GI_INLINE void cut_edge(int rows, int columns, Wide& upper, Wide& lower) {
  alignas(64) float w[32];
  upper.store(w);
  lower.store(w + 16);
  for (int i = 0; i < 32; ++i) {
    if (i / 8 >= rows || i % 8 >= columns) w[i] = 0;
  }
  upper = Wide::load(w);
  lower = Wide::load(w + 16);
}

// Calls body(tile, upper, lower) for the tiles that the Gaussian touches, with the weights of the
// upper and the lower row pair, and then(pairs) after each strip with its number of row pairs.
template <typename Body, typename Then>
GI_INLINE void for_each_tile(const TiledResidual& picture, const SingleGaussian& gaussian,
                             Body&& body, Then&& then) {
  const Shape shape(gaussian);
  const Half ramp = Half::load(column_numbers);
  const Half slopes = Half::splat(static_cast<float>(shape.slope)) * ramp;
  const double last_strip = picture.strips() - 1;
  const int strip0 = static_cast<int>(
      std::clamp(std::floor((shape.x - shape.reach - 0.51) / cell_width), 0.0, last_strip + 1));
  const int strip1 =
      static_cast<int>(
          std::clamp(std::floor((shape.x + shape.reach - 0.49) / cell_width), -1.0, last_strip)) +
      1;
  const int lowest = gaussian.top / tile_rows;
  const int highest = (gaussian.bottom + tile_rows - 1) / tile_rows;
  for (int strip = strip0; strip < strip1; ++strip) {
    // In whitened coordinates the ellipse is a disk; see find_row_ranges in
    // render/cell_lists-isa.cpp.
    const double left = strip * double{cell_width} + 0.5 - shape.x;
    const double t0 = std::clamp(left * shape.t_per_pixel, -1.0, 1.0);
    const double t1 = std::clamp((left + 7) * shape.t_per_pixel, -1.0, 1.0);
    const double top = std::min(std::max(-shape.rho, t0), t1);
    const double bottom = std::min(std::max(shape.rho, t0), t1);
    const double y0 =
        shape.y - 0.51 + shape.k21 * top - shape.k22 * std::sqrt(std::max(1 - top * top, 0.0));
    const double y1 = shape.y - 0.49 + shape.k21 * bottom +
                      shape.k22 * std::sqrt(std::max(1 - bottom * bottom, 0.0));
    const double rows = picture.height;
    int tile = std::max(static_cast<int>(std::clamp(y0, 0.0, rows)) / tile_rows, lowest);
    const int end =
        std::min((static_cast<int>(std::clamp(y1, -4.0, rows)) + tile_rows) / tile_rows, highest);
    if (tile >= end) continue;
    then((end - tile) * 2);
    const Half dx = Half::splat(static_cast<float>(left)) + ramp;
    const double base = 0.5 - shape.y + shape.slope * left;
    const size_t first = static_cast<size_t>(strip) * static_cast<size_t>(picture.tiles_down());
    const int columns = picture.width - strip * cell_width;
    const auto pass = [&](int at, Wide upper, Wide lower) __attribute__((always_inline)) {
      upper = keep_at_least(upper, shape.least);
      lower = keep_at_least(lower, shape.least);
      const int rows_left = picture.height - at * tile_rows;
      if (__builtin_expect(rows_left < tile_rows || columns < cell_width, 0)) {
        cut_edge(rows_left, columns, upper, lower);
      }
      const size_t number = first + static_cast<size_t>(at);
      if (picture.roots) {
        const float* roots = picture.roots + number * (tile_rows * cell_width);
        upper = upper * Wide::load(roots);
        lower = lower * Wide::load(roots + 16);
      }
      body(number, upper, lower);
    };
    const auto u_at = [&](int at) __attribute__((always_inline)) {
      return Half::splat(static_cast<float>(base + at * tile_rows)) + slopes;
    };
    if (shape.tiles == 0) {
      for (; tile < end; ++tile) {
        const Half u = u_at(tile);
        pass(tile, exact(shape, dx, u), exact(shape, dx, u + Half::splat(2.0f)));
      }
      continue;
    }
    while (tile < end) {
      const int stop = std::min(tile + shape.tiles, end);
      Chain chain(shape, dx, u_at(tile));
      for (; tile < stop; ++tile) {
        const Wide upper = chain.w, lower = chain.w * chain.r;
        chain.r = chain.r * shape.e4;
        pass(tile, upper, lower);
        chain.w = lower * chain.r;
        chain.r = chain.r * shape.e4;
      }
    }
  }
}

template <int Channels, bool with_blocks>
void correlate_channels(const TiledResidual& picture, const SingleGaussian& gaussian,
                        double* sums) {
  Wide totals[Channels + 1];
  Half blocks[Channels + 1];
  const auto clear = [&] {
    for (Wide& total : totals) total = Wide::splat(0.0f);
    for (Half& block : blocks) block = Half::splat(0.0f);
  };
  const Half share = Half::splat(static_cast<float>(picture.block_weight / 16));
  const auto flush = [&] {
    Half all[8];
    for (int k = 0; k <= Channels; ++k) {
      all[k] = fold(totals[k]);
      if constexpr (with_blocks) all[k] = madd(share, blocks[k], all[k]);
    }
    for (int k = Channels + 1; k < 8; ++k) all[k] = all[0];  // not used
    float found[8];
    store_sums(all, found);
    for (int k = 0; k <= Channels; ++k) sums[k] += static_cast<double>(found[k]);
  };
  for (int k = 0; k <= Channels; ++k) sums[k] = 0;
  clear();
  int pairs = 0;
  for_each_tile(
      picture, gaussian,
      [&](size_t tile, Wide upper, Wide lower) __attribute__((always_inline)) {
        const float* p = picture.data + tile * (Channels * 32);
        for (int k = 0; k < Channels; ++k) {
          totals[k] = madd(upper, Wide::load(p + 16 * k), totals[k]);
          totals[k] = madd(lower, Wide::load(p + 16 * (Channels + k)), totals[k]);
        }
        totals[Channels] = madd(upper, upper, totals[Channels]);
        totals[Channels] = madd(lower, lower, totals[Channels]);
        if constexpr (with_blocks) {
          const Half total = fold(upper + lower);
          const float* of = picture.block_sums + tile * (Channels * 8);
          for (int k = 0; k < Channels; ++k) {
            blocks[k] = madd(total, Half::load(of + 8 * k), blocks[k]);
          }
          blocks[Channels] = madd(total, sum_fours(total), blocks[Channels]);
        }
      },
      [&](int here) __attribute__((always_inline)) {
        pairs += here;
        if (pairs <= pairs_per_sum) return;
        flush();
        clear();
        pairs = here;
      });
  flush();
}

template <int Channels, bool with_blocks>
void draw_channels(const TiledResidual& picture, const SingleGaussian& gaussian,
                   const float* color) {
  Wide colors[Channels];
  for (int k = 0; k < Channels; ++k) colors[k] = Wide::splat(color[k]);
  for_each_tile(
      picture, gaussian,
      [&](size_t tile, Wide upper, Wide lower) __attribute__((always_inline)) {
        float* p = picture.data + tile * (Channels * 32);
        for (int k = 0; k < Channels; ++k) {
          float* const above = p + 16 * k;
          float* const below = p + 16 * (Channels + k);
          madd(upper, colors[k], Wide::load(above)).store(above);
          madd(lower, colors[k], Wide::load(below)).store(below);
        }
        if constexpr (with_blocks) {
          const Half total = sum_fours(fold(upper + lower));
          float* of = picture.block_sums + tile * (Channels * 8);
          for (int k = 0; k < Channels; ++k) {
            madd(total, first_half(colors[k]), Half::load(of + 8 * k)).store(of + 8 * k);
          }
        }
      },
      [](int) {});
}

}  // namespace

void correlate(const TiledResidual& picture, const SingleGaussian& gaussian, double* sums) {
  with_channels(picture.channels, [&](auto c) {
    if (picture.block_sums) {
      correlate_channels<c, true>(picture, gaussian, sums);
    } else {
      correlate_channels<c, false>(picture, gaussian, sums);
    }
  });
}

void draw_gaussian(const TiledResidual& picture, const SingleGaussian& gaussian,
                   const float* color) {
  with_channels(picture.channels, [&](auto c) {
    if (picture.block_sums) {
      draw_channels<c, true>(picture, gaussian, color);
    } else {
      draw_channels<c, false>(picture, gaussian, color);
    }
  });
}

}  // namespace gi::GI_ISA
