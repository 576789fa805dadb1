// Blurs a map with a box.
#pragma once

#include <cstddef>

namespace gi {

// Blurs height × width floats, `passes` times down the columns and then along the rows, with a box
// of side 2 radius + 1; edges are repeated. `from` and `to` must not overlap. Two passes with a
// radius of 1 or 2 are quick, see fit/blur_tile.h; otherwise a pixel costs two additions in double
// precision for each pass, on one thread.
void box_blur(const float* from, float* to, ptrdiff_t height, ptrdiff_t width, ptrdiff_t radius,
              int passes, int threads);

}  // namespace gi
