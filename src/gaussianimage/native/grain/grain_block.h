// A block of a picture that gets grain: what the kernels need.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "grain/grain_levels.h"

namespace gi {

// Blocks are squares of 8 pixels a side; noise has one strength in each.
constexpr int grain_block = 8;

// Two noises, whose sum is scaled in each band.
struct GrainBlock {
  // The noise at the block's first pixel, and from one row to the next.
  std::array<const int8_t*, grain_bands> first, second;
  ptrdiff_t first_stride, second_stride;
  std::array<int, grain_bands> strength;  // in units of 1/16
  const int* factors;                     // of each luma 0 … 255, in units of 1/64
};

}  // namespace gi
