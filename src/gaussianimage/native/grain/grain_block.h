// A block of a picture that gets grain: what the kernels need.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "grain/grain_levels.h"

namespace gi {

// Blocks are squares of 8 pixels a side; noise has one strength in each.
constexpr int grain_block = 8;

// Noise has the strength that the levels say in a block whose activity is `usual_activity`, and is
// proportional to the activity's square root. Activity is the sum of the differences of the luma
// between neighbors in the calmest quarter of the block, plus `least_activity`; a difference counts
// `most_difference` at most. Where an edge crosses a block, or only a part of it has texture, a
// quarter is calm.
constexpr int usual_activity = 64, least_activity = 16, most_difference = 24;

// Two noises, whose sum is scaled in each band.
struct GrainBlock {
  // The noise at the block's first pixel, and from one row to the next.
  std::array<const int8_t*, grain_bands> first, second;
  ptrdiff_t first_stride, second_stride;
  // In units of 1/16, where the picture has an activity of `usual_activity`.
  std::array<int, grain_bands> strength;
  const int* factors;  // of each luma 0 … 255, in units of 1/64
};

}  // namespace gi
