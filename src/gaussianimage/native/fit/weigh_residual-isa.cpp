// Weighs the residuals of a cell: the loss and its derivative. Compiled once for every instruction
// set.
//
// Blocks of 4 × 4 pixels are two row pairs high and half as wide as a cell, so a step takes four
// rows.

#include <algorithm>

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

// `weighted`: whether there are roots. `blocks`: whether the block means count.
template <int C, bool weighted, bool blocks>
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
  const auto load = [&](ptrdiff_t i) __attribute__((always_inline)) {
    const Wide value = Wide::load(cell + i);
    if constexpr (weighted) return value * Wide::load(roots + i);
    return value;
  };
  const auto store = [&](Wide value, ptrdiff_t i) __attribute__((always_inline)) {
    if constexpr (weighted) value = value * Wide::load(roots + i);
    value.store(cell + i);
  };
  for (int pair = 0; pair < pairs; pair += 2) {
    const bool two = pair + 1 < pairs;
    for (int k = 0; k < C; ++k) {
      const ptrdiff_t i = pair * pair_floats + 16 * k;
      Wide upper = load(i), lower = two ? load(i + pair_floats) : Wide::splat(0.0f);
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
        store(upper, i);
        if (two) store(lower, i + pair_floats);
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

double weigh_residual(float* cell, const float* roots, float block_weight, int channels, int rows,
                      int columns) {
  double loss = 0;
  with_channels(channels, [&](auto c) {
    if (block_weight > 0) {
      loss = roots ? weigh<c, true, true>(cell, roots, block_weight, rows, columns)
                   : weigh<c, false, true>(cell, roots, block_weight, rows, columns);
    } else {
      loss = roots ? weigh<c, true, false>(cell, roots, block_weight, rows, columns)
                   : weigh<c, false, false>(cell, roots, block_weight, rows, columns);
    }
  });
  return loss;
}

}  // namespace gi::GI_ISA
