// The levels of a file's grain: their coding, by section 4.10 of docs/format.md.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace gi {

// Bands of noise, by the direction of their streaks and by scale: horizontal, vertical and diagonal
// ones of about a pixel, horizontal and vertical ones of about two.
constexpr int grain_bands = 5;
// Levels are 0 (no noise) to 15.
constexpr int grain_levels = 16;

// Returns the stream of levels [rows][columns][grain_bands]. Throws std::invalid_argument for a
// level that is out of range.
std::vector<uint8_t> encode_grain_levels(const uint8_t* levels, size_t rows, size_t columns);

// Decodes a stream. Returns false if it is not one of this many cells.
bool decode_grain_levels(const uint8_t* bytes, size_t size, size_t rows, size_t columns,
                         uint8_t* levels);

}  // namespace gi
