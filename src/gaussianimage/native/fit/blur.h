// Blurs a map with a box.
#pragma once

#include <cstddef>

namespace gi {

// Blurs height × width floats in place, twice with a box of side 2 radius + 1; edges are repeated.
// The radius is 1 or 2. Beside the map it takes an eighth or a quarter of its memory.
void blur_twice(float* map, ptrdiff_t height, ptrdiff_t width, int radius, int threads);

}  // namespace gi
