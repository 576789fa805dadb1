// Grain: noise that a decoder adds to the pixels of a picture, by section 4.10 of docs/format.md.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "render/gaussians.h"

namespace gi {

// The strength of a picture's grain.
struct Grain {
  int height, width;            // of the picture, in pixels
  int seed;                     // 0 … 255
  int cell;                     // log2 of the side of a cell in pixels, 3 … 8
  uint8_t brightness[3];        // strength at luma 0, 128 and 256, in units of 1/64
  std::vector<uint8_t> levels;  // [rows][columns][grain_bands], of all cells

  int rows() const { return ((height - 1) >> cell) + 1; }
  int columns() const { return ((width - 1) >> cell) + 1; }
};

// Returns whether a part of a picture of the size drawn_height × drawn_width consists of whole
// blocks, but for those at the picture's right and lower border.
bool has_whole_blocks(const Part& part, int drawn_height, int drawn_width);

// Adds grain to a part, part.height × part.width × channels, of a picture that is drawn at the size
// drawn_height × drawn_width; the part has whole blocks. T is uint8_t, uint16_t or float (0 to 1).
// Channels beyond color (alpha) do not change, nor does the color of pixels whose alpha is 0.
template <typename T>
void add_grain(const Grain& grain, T* pixels, int channels, const Part& part, int drawn_height,
               int drawn_width, int threads);

}  // namespace gi
