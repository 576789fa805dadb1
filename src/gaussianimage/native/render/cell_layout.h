// How pixels lie in memory while Gaussians are added to them.
//
// The picture is cut into cells: columns 8 pixels wide ("strips") by 256 rows ("bands"). A cell's
// floats are [row pair][channel][2 rows][8 columns]. For three channels that is 24 kB, so a cell
// stays in the L1 cache while its Gaussians are added one after the other. Cells are independent of
// each other: threads share them out. A cell adds its Gaussians in an order that depends only on
// the Gaussians, so the result has the same bits for every number of threads.
#pragma once

#include <cstddef>
#include <cstdint>

namespace gi {

constexpr int cell_width = 8;
constexpr int cell_rows = 256;
constexpr int cell_pairs = cell_rows / 2;  // row pairs
constexpr int max_channels = 4;

constexpr size_t cell_floats(int channels) {
  return static_cast<size_t>(cell_rows) * cell_width * static_cast<size_t>(channels);
}

// Strips that cover a width, and bands that cover a height, in pixels.
constexpr int count_strips(int width) { return (width + cell_width - 1) / cell_width; }
constexpr int count_bands(int height) { return (height + cell_rows - 1) / cell_rows; }

// Where the 8 values of a row of a cell begin: those of channel 0; the next channel's are 16 values
// further on. Always inlined, because several instruction sets compile it.
template <typename Value>
__attribute__((always_inline)) inline Value* cell_row(Value* cell, int channels, int row) {
  return cell + static_cast<ptrdiff_t>(row >> 1) * (channels * 16) + (row & 1) * 8;
}

// Copies rows × columns × channels floats from `in`, whose rows are `stride` floats apart, to a
// cell. Sets the rest of the last row pair and of its 8 columns to zero.
inline void from_floats(const float* in, ptrdiff_t stride, int channels, int rows, int columns,
                        float* cell) {
  for (int y = 0; y < (rows + 1) / 2 * 2; ++y, in += stride) {
    float* p = cell_row(cell, channels, y);
    for (int k = 0; k < channels; ++k) {
      for (int x = 0; x < 8; ++x) {
        p[16 * k + x] = y < rows && x < columns ? in[x * channels + k] : 0.0f;
      }
    }
  }
}

}  // namespace gi
