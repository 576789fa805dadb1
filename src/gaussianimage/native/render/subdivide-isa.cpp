// Brings a picture on a coarse grid to twice the resolution, by subdivision with the mask
// (1, 4, 6, 4, 1) / 8 along each axis: an even sample is (1, 6, 1) / 8 of the coarse samples around
// it, and an odd one is the mean of two. The adjoint brings a residual down. Compiled once for
// every instruction set.

#include <cstddef>
#include <cstring>
#include <type_traits>

#include "base/with_channels.h"
#include "render/cell_layout.h"
#include "simd/kernel_parts-isa.h"
#include "simd/vector-isa.h"

namespace gi::GI_ISA {
namespace {

// Every function with rows is inlined, so it does not matter how rows would be passed.
#pragma GCC diagnostic ignored "-Wpsabi"
typedef float Row __attribute__((vector_size(32)));

GI_INLINE Row load(const float* p) {
  Row row;
  std::memcpy(&row, p, sizeof row);
  return row;
}

GI_INLINE void store(Row row, float* p) { std::memcpy(p, &row, sizeof row); }

// Loads the 8 samples of a coarse row that begin in the middle of a strip.
GI_INLINE Row load_shifted(const float* left, const float* right) {
  return __builtin_shufflevector(load(left), load(right), 4, 5, 6, 7, 8, 9, 10, 11);
}

// Subdivides along x: the coarse samples offset … offset + 5 give 8 fine ones.
template <int offset>
GI_INLINE Row widen(Row x) {
  constexpr int o = offset;
  // Each coarse sample twice, for an even fine sample and the odd one behind it.
  const Row before =
      __builtin_shufflevector(x, x, o, o + 1, o + 1, o + 2, o + 2, o + 3, o + 3, o + 4);
  const Row middle =
      __builtin_shufflevector(x, x, o + 1, o + 1, o + 2, o + 2, o + 3, o + 3, o + 4, o + 4);
  const Row after =
      __builtin_shufflevector(x, x, o + 2, o + 2, o + 3, o + 3, o + 4, o + 4, o + 5, o + 5);
  const Row outer = {0.125f, 0.0f, 0.125f, 0.0f, 0.125f, 0.0f, 0.125f, 0.0f};
  const Row center = {0.75f, 0.5f, 0.75f, 0.5f, 0.75f, 0.5f, 0.75f, 0.5f};
  const Row next = {0.125f, 0.5f, 0.125f, 0.5f, 0.125f, 0.5f, 0.125f, 0.5f};
  return middle * center + (before * outer + after * next);
}

// The adjoint of `widen`.
template <int offset>
GI_INLINE Row narrow(Row fine) {
  const Row eighth = fine * 0.125f, half = fine * 0.5f, most = fine * 0.75f;
  const Row zero = {};
  // A coarse sample gets 1/8 of the even sample two further on, 3/4 of the even one on it and half
  // of the odd one behind it, and 1/8 and half of the even and the odd one before it.
  if constexpr (offset == 0) {
    const Row a = __builtin_shufflevector(eighth, zero, 0, 2, 4, 6, 8, 8, 8, 8);
    const Row b = __builtin_shufflevector(most, zero, 8, 0, 2, 4, 6, 8, 8, 8) +
                  __builtin_shufflevector(half, zero, 8, 1, 3, 5, 7, 8, 8, 8);
    const Row c = __builtin_shufflevector(eighth, zero, 8, 8, 0, 2, 4, 6, 8, 8) +
                  __builtin_shufflevector(half, zero, 8, 8, 1, 3, 5, 7, 8, 8);
    return a + b + c;
  } else {
    const Row a = __builtin_shufflevector(eighth, zero, 8, 0, 2, 4, 6, 8, 8, 8);
    const Row b = __builtin_shufflevector(most, zero, 8, 8, 0, 2, 4, 6, 8, 8) +
                  __builtin_shufflevector(half, zero, 8, 8, 1, 3, 5, 7, 8, 8);
    const Row c = __builtin_shufflevector(eighth, zero, 8, 8, 8, 0, 2, 4, 6, 8) +
                  __builtin_shufflevector(half, zero, 8, 8, 8, 1, 3, 5, 7, 8);
    return a + b + c;
  }
}

// The channels of a row pair side by side, so that memory is read from its beginning to its end.
// `less`: whether something is subtracted.
template <int C, int offset, bool odd, bool less>
void subdivide(const float* left, const float* right, int first_row, int pairs,
               const float* subtracted, float* cell) {
  const auto row = [&](int k, int y) __attribute__((always_inline)) {
    const float* const p = cell_row(left, C, y) + 16 * k;
    if constexpr (odd) {
      return widen<offset>(load_shifted(p, cell_row(right, C, y) + 16 * k));
    } else {
      return widen<offset>(load(p));
    }
  };
  Row a[C], b[C];
  for (int k = 0; k < C; ++k) {
    a[k] = row(k, first_row);
    b[k] = row(k, first_row + 1);
  }
  for (int pair = 0; pair < pairs; ++pair) {
    for (int k = 0; k < C; ++k, cell += 16) {
      const Row c = row(k, first_row + pair + 2);
      Row even = (a[k] + c) * 0.125f + b[k] * 0.75f, odd_row = (b[k] + c) * 0.5f;
      if constexpr (less) {
        even -= load(subtracted);
        odd_row -= load(subtracted + 8);
        // The next cell of the strip.
        __builtin_prefetch(subtracted + cell_floats(C), 0, 2);
        subtracted += 16;
      }
      store(even, cell);
      store(odd_row, cell + 8);
      a[k] = b[k];
      b[k] = c;
    }
  }
}

template <int C, int offset>
void restrict_to(const float* cell, int first_row, int pairs, bool first, float* sums) {
  const auto row = [&](int k, int y)
                       __attribute__((always_inline)) { return cell_row(sums, C, y) + 16 * k; };
  // The cell above has added to the first two rows.
  const Row zero = {};
  Row begun[2][C], a[C], b[C];
  for (int k = 0; k < C; ++k) {
    for (int y = 0; y < 2; ++y) begun[y][k] = first ? zero : load(row(k, first_row + y));
    a[k] = b[k] = zero;
  }
  for (int pair = 0; pair < pairs; ++pair) {
    for (int k = 0; k < C; ++k, cell += 16) {
      const Row even = load(cell), outer = even * 0.125f, odd = load(cell + 8) * 0.5f;
      Row sum = narrow<offset>(a[k] + outer);
      if (pair < 2) sum += begun[pair][k];
      store(sum, row(k, first_row + pair));
      a[k] = b[k] + (even * 0.75f + odd);
      b[k] = outer + odd;
    }
  }
  for (int k = 0; k < C; ++k) {
    Row last = narrow<offset>(a[k]);
    if (pairs == 1) last += begun[1][k];
    store(last, row(k, first_row + pairs));
    store(narrow<offset>(b[k]), row(k, first_row + pairs + 1));
  }
}

}  // namespace

void subdivide_cell(const float* left, const float* right, int offset, int first_row, int channels,
                    int pairs, const float* subtracted, float* cell) {
  with_channels(channels, [&](auto c) {
    const auto run = [&](auto o, auto less) {
      right ? subdivide<c, o, true, less>(left, right, first_row, pairs, subtracted, cell)
            : subdivide<c, o, false, less>(left, right, first_row, pairs, subtracted, cell);
    };
    const auto with_offset = [&](auto less) {
      offset == 0 ? run(std::integral_constant<int, 0>{}, less)
                  : run(std::integral_constant<int, 1>{}, less);
    };
    subtracted ? with_offset(std::true_type{}) : with_offset(std::false_type{});
  });
}

void restrict_cell(const float* cell, int offset, int first_row, int channels, int pairs,
                   bool first, float* sums) {
  with_channels(channels, [&](auto c) {
    offset == 0 ? restrict_to<c, 0>(cell, first_row, pairs, first, sums)
                : restrict_to<c, 1>(cell, first_row, pairs, first, sums);
  });
}

void join_sums(const float* before, const float* even, const float* odd, size_t rows, float* out) {
  const Row zero = {};
  for (size_t i = 0; i < 8 * rows; i += 8) {
    Row row = load(even + i);
    if (odd) row += __builtin_shufflevector(zero, load(odd + i), 0, 0, 0, 0, 8, 9, 10, 11);
    if (before) row += __builtin_shufflevector(zero, load(before + i), 12, 13, 14, 15, 0, 0, 0, 0);
    store(row, out + i);
  }
}

}  // namespace gi::GI_ISA
