// Sums over boxes around the pixels of a block.
#pragma once

#include "eye/blocks.h"

namespace gi {

// Replaces each pixel by the sum over a box that reaches `down` pixels up and down and `across`
// pixels left and right, each less than 16. Pixels beyond the block count as 0. Boxes of three
// pixels are summed in single precision; longer ones are differences of sums in double precision,
// and take two additions for each pixel, whatever their size.
void box_sums(Plane& plane, int down, int across);

}  // namespace gi
