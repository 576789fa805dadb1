// Draws random pixels with a probability in proportion to a map.
#pragma once

#include <cstddef>
#include <cstdint>

namespace gi {

// pixels[i] becomes the pixel at which the cumulative sum of the map first exceeds shares[i] of the
// whole sum. Pixels of value 0 are never drawn.
//
// values: `size` of them, not negative and not all zero. shares: ascending, from 0 to below 1.
void draw_pixels(const float* values, size_t size, const double* shares, size_t count,
                 int64_t* pixels);

}  // namespace gi
