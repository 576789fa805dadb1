// Brings a picture on a coarse grid to twice the resolution, by subdivision with the mask
// (1, 4, 6, 4, 1) / 8 along each axis: an even sample is (1, 6, 1) / 8 of the coarse samples around
// it, and an odd one is the mean of two. The adjoint brings a residual down. Compiled once for
// every instruction set.

#include <cstddef>
#include <cstring>

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

template <int offset, bool odd>
void subdivide(const float* left, const float* right, int first_row, int channels, int pairs,
               float* cell) {
  for (int k = 0; k < channels; ++k) {
    const auto row = [&](int y) __attribute__((always_inline)) {
      const float* const p = cell_row(left, channels, y) + 16 * k;
      if constexpr (odd) {
        return widen<offset>(load_shifted(p, cell_row(right, channels, y) + 16 * k));
      } else {
        return widen<offset>(load(p));
      }
    };
    Row a = row(first_row), b = row(first_row + 1);
    float* p = cell + 16 * k;
    for (int pair = 0; pair < pairs; ++pair, p += 16 * channels) {
      const Row c = row(first_row + pair + 2);
      store(load(p) + ((a + c) * 0.125f + b * 0.75f), p);
      store(load(p + 8) + (b + c) * 0.5f, p + 8);
      a = b;
      b = c;
    }
  }
}

template <int offset>
void restrict_to(const float* cell, int first_row, int channels, int pairs, bool first,
                 float* sums) {
  for (int k = 0; k < channels; ++k) {
    const float* p = cell + 16 * k;
    const auto row = [&](int y) __attribute__((always_inline)) {
      return cell_row(sums, channels, y) + 16 * k;
    };
    // The cell above has added to the first two rows.
    const Row zero = {};
    const Row begun0 = first ? zero : load(row(first_row));
    const Row begun1 = first ? zero : load(row(first_row + 1));
    Row a = zero, b = zero;
    for (int pair = 0; pair < pairs; ++pair, p += 16 * channels) {
      const Row even = load(p), outer = even * 0.125f, odd = load(p + 8) * 0.5f;
      Row sum = narrow<offset>(a + outer);
      if (pair == 0) sum += begun0;
      if (pair == 1) sum += begun1;
      store(sum, row(first_row + pair));
      a = b + (even * 0.75f + odd);
      b = outer + odd;
    }
    Row last = narrow<offset>(a);
    if (pairs == 1) last += begun1;
    store(last, row(first_row + pairs));
    store(narrow<offset>(b), row(first_row + pairs + 1));
  }
}

}  // namespace

void subdivide_cell(const float* left, const float* right, int offset, int first_row, int channels,
                    int pairs, float* cell) {
  if (offset == 0) {
    right ? subdivide<0, true>(left, right, first_row, channels, pairs, cell)
          : subdivide<0, false>(left, right, first_row, channels, pairs, cell);
  } else {
    right ? subdivide<1, true>(left, right, first_row, channels, pairs, cell)
          : subdivide<1, false>(left, right, first_row, channels, pairs, cell);
  }
}

void restrict_cell(const float* cell, int offset, int first_row, int channels, int pairs,
                   bool first, float* sums) {
  if (offset == 0) {
    restrict_to<0>(cell, first_row, channels, pairs, first, sums);
  } else {
    restrict_to<1>(cell, first_row, channels, pairs, first, sums);
  }
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
