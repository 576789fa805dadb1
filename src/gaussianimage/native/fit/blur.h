// Blurs a map with a box.
#pragma once

#include <cstddef>

namespace gi {

// Blurs height × width floats in place, `passes` times down the columns and then along the rows,
// with a box of side 2 radius + 1; edges are repeated. A pixel costs two additions for each pass.
void box_blur(float* values, ptrdiff_t height, ptrdiff_t width, ptrdiff_t radius, int passes);

}  // namespace gi
