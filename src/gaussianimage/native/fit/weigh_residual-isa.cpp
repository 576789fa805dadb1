// Weighs the residuals of a cell: the loss and its derivative. Compiled once for every instruction
// set.
//
// Blocks of 4 × 4 pixels are two row pairs high and half as wide as a cell, so a step takes four
// rows.

#include <algorithm>
#include <type_traits>

#include "base/with_channels.h"
#include "render/cell_layout.h"
#include "simd/kernel_parts-isa.h"
#include "simd/vector-isa.h"

namespace gi::GI_ISA {
namespace {

// The number of steps that are summed in single precision.
constexpr int steps_per_sum = 8;

// Sets the values of a row pair outside of the picture to zero.
void clear_outside(float* pair, int channels, int rows, int columns) {
  for (int i = 0; i < channels * 16; ++i) {
    if ((i & 7) >= columns || (i >> 3 & 1) >= rows) pair[i] = 0;
  }
}

// `roots_of`: the channels that have roots, C, 1 or 0. `blocks`: whether the block means count.
template <int C, int roots_of, bool blocks>
double weigh(float* cell, const float* roots, float block_weight, int rows, int columns) {
  constexpr ptrdiff_t pair_floats = C * 16;
  const int pairs = (rows + 1) / 2;
  if (columns < cell_width) {
    for (int pair = 0; pair < pairs; ++pair)
      clear_outside(cell + pair * pair_floats, C, 2, columns);
  }
  if (rows % 2) clear_outside(cell + (pairs - 1) * pair_floats, C, 1, columns);
  const Half share = Half::splat(block_weight / 16);
  double total = 0, total_of_blocks = 0;
  Wide squares = Wide::splat(0.0f);
  Half means = Half::splat(0.0f);
  constexpr bool weighted = roots_of > 0;
  constexpr ptrdiff_t root_floats = roots_of * 16;
  const auto weight = [&](Wide value, const float* root) __attribute__((always_inline)) {
    if constexpr (weighted) return value * Wide::load(root);
    return value;
  };
  for (int pair = 0; pair < pairs; pair += 2) {
    const bool two = pair + 1 < pairs;
    for (int k = 0; k < C; ++k) {
      float* const p = cell + pair * pair_floats + 16 * k;
      const float* const root =
          weighted ? roots + pair * root_floats + (roots_of > 1 ? 16 * k : 0) : nullptr;
      if (weighted && (k == 0 || roots_of > 1)) {
        // The next cell of the strip.
        __builtin_prefetch(root + cell_floats(roots_of), 0, 2);
        __builtin_prefetch(root + cell_floats(roots_of) + root_floats, 0, 2);
      }
      Wide upper = weight(Wide::load(p), root);
      Wide lower =
          two ? weight(Wide::load(p + pair_floats), root + root_floats) : Wide::splat(0.0f);
      squares = squares + upper * upper;
      squares = squares + lower * lower;
      if constexpr (blocks) {
        const Half column = fold(upper + lower), block = sum_fours(column);
        means = means + column * block;
        const Half added = share * block;
        const Wide both = join(added, added);
        upper = upper + both;
        lower = lower + both;
      }
      if constexpr (weighted || blocks) {
        weight(upper, root).store(p);
        if (two) weight(lower, root + root_floats).store(p + pair_floats);
      }
    }
    if (pair / 2 % steps_per_sum == steps_per_sum - 1 || pair + 2 >= pairs) {
      total += static_cast<double>(sum(fold(squares)));
      squares = Wide::splat(0.0f);
      if constexpr (blocks) {
        total_of_blocks += static_cast<double>(sum(means));
        means = Half::splat(0.0f);
      }
    }
  }
  return 0.5 * (total + static_cast<double>(block_weight / 16) * total_of_blocks);
}

}  // namespace

void negate(const float* target, size_t count, float* cell) {
  for (size_t i = 0; i < count; ++i) cell[i] = -target[i];
}

void forgive(const int8_t* sides, float room, size_t count, float* cell) {
  for (size_t i = 0; i < count; ++i) {
    const float end = room * static_cast<float>(sides[i]);
    const float low = std::min(end, 0.0f), high = std::max(end, 0.0f);
    cell[i] -= std::min(std::max(cell[i], low), high);
  }
}

double weigh_residual(float* cell, const float* roots, int root_channels, float block_weight,
                      int channels, int rows, int columns) {
  double loss = 0;
  with_channels(channels, [&](auto c) {
    const auto run = [&](auto roots_of) {
      loss = block_weight > 0 ? weigh<c, roots_of, true>(cell, roots, block_weight, rows, columns)
                              : weigh<c, roots_of, false>(cell, roots, block_weight, rows, columns);
    };
    if (root_channels == 0) {
      run(std::integral_constant<int, 0>{});
    } else if (root_channels == 1) {
      run(std::integral_constant<int, 1>{});
    } else {
      run(c);
    }
  });
  return loss;
}

}  // namespace gi::GI_ISA
