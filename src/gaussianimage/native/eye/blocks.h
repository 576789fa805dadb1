// Blocks of 16 × 16 pixels of a picture, one plane for each channel.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

#include "render/gaussians.h"

namespace gi {

constexpr ptrdiff_t block_side = 16;
constexpr size_t block_pixels = 256;

using Plane = std::array<float, block_pixels>;
using Block = std::array<Plane, max_channels>;

// A picture of height × width × channels floats. `divisors` are height × width floats by which
// every value of a pixel is divided; null if there are none.
struct BlockSource {
  const float* values;
  int height, width, channels;
  const float* divisors = nullptr;

  ptrdiff_t across() const { return (width + block_side - 1) / block_side; }
  ptrdiff_t count() const { return (height + block_side - 1) / block_side * across(); }
  ptrdiff_t top(int64_t number) const { return number / across() * block_side; }
  ptrdiff_t left(int64_t number) const { return number % across() * block_side; }

  // How many rows and columns of a block lie within the picture.
  size_t rows(int64_t number) const { return within(height - top(number)); }
  size_t columns(int64_t number) const { return within(width - left(number)); }

 private:
  static size_t within(ptrdiff_t side) {
    return static_cast<size_t>(std::min<ptrdiff_t>(side, block_side));
  }
};

// Cuts out a block; blocks are counted row by row. Pixels beyond the picture are 0.
inline void cut_block(const BlockSource& source, int64_t number, Block& block) {
  const size_t rows = source.rows(number), columns = source.columns(number);
  for (size_t c = 0; c < static_cast<size_t>(source.channels); ++c) block[c].fill(0);
  for (size_t i = 0; i < rows; ++i) {
    ptrdiff_t pixel =
        (source.top(number) + static_cast<ptrdiff_t>(i)) * source.width + source.left(number);
    for (size_t to = i * block_side; to < i * block_side + columns; ++to, ++pixel) {
      const float* from = source.values + pixel * source.channels;
      for (int c = 0; c < source.channels; ++c) {
        block[static_cast<size_t>(c)][to] =
            source.divisors ? from[c] / source.divisors[pixel] : from[c];
      }
    }
  }
}

// Sets the pixels of a plane beyond the first rows and columns to 0.
inline void clear_beyond(Plane& plane, size_t rows, size_t columns) {
  constexpr size_t side = block_side;
  for (size_t i = 0; i < side; ++i) {
    const size_t from = i < rows ? columns : 0;
    std::fill(plane.begin() + i * side + from, plane.begin() + (i + 1) * side, 0.0f);
  }
}

}  // namespace gi
