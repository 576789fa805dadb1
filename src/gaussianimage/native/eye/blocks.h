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
};

// Cuts out a block; blocks are counted row by row. Beyond the picture, its last pixels are
// repeated.
inline void cut_block(const BlockSource& source, int64_t number, Block& block) {
  const ptrdiff_t top = source.top(number), left = source.left(number);
  size_t to = 0;
  for (ptrdiff_t i = 0; i < block_side; ++i) {
    const ptrdiff_t row = std::min<ptrdiff_t>(top + i, source.height - 1) * source.width;
    for (ptrdiff_t j = 0; j < block_side; ++j, ++to) {
      const ptrdiff_t pixel = row + std::min<ptrdiff_t>(left + j, source.width - 1);
      const float* from = source.values + pixel * source.channels;
      for (int c = 0; c < source.channels; ++c) {
        block[static_cast<size_t>(c)][to] =
            source.divisors ? from[c] / source.divisors[pixel] : from[c];
      }
    }
  }
}

}  // namespace gi
