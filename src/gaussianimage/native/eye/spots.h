// The boxes that take most of the error out of a block.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "eye/blocks.h"

namespace gi {

// A box around a pixel of a block.
struct Spot {
  int32_t y, x;                // the pixel's place in the block
  int32_t down, across;        // the box is (2 down + 1) pixels high and (2 across + 1) wide
  float colors[max_channels];  // what has to be added to the drawing there
};

// Finds `rounds` boxes for each of `count` blocks, one after the other: of the shapes and places,
// the box with the largest square of its summed error, divided by its area. The next box is for the
// error that this one leaves. Pixels beyond the picture have no error. spots[round * count + i] is
// that of block numbers[i]. A block costs about ten microseconds for a round of eight shapes.
void find_spots(const BlockSource& errors, const int64_t* numbers, size_t count,
                const std::array<int32_t, 2>* shapes, size_t shape_count, size_t rounds,
                int threads, Spot* spots);

}  // namespace gi
