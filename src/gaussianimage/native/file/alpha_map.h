// Which pixels of a picture are fully transparent, which fully opaque, and what follows for the
// pixels of a picture that is drawn at another size.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "render/alpha_class.h"
#include "render/gaussians.h"

namespace gi {

// Memory that decoding works in, to be kept from one file to the next.
struct AlphaMapWorkspace {
  std::vector<uint8_t> kinds, rows, sets;
};

// The payload of a map, height × width classes, row by row. Throws std::out_of_range for a class
// that is none of the first three.
std::vector<uint8_t> encode_alpha_map(const uint8_t* classes, int height, int width);

// Reads a payload. False if it is not one of a map of this size.
bool decode_alpha_map(const uint8_t* bytes, size_t size, int height, int width,
                      std::vector<uint8_t>& classes, AlphaMapWorkspace& workspace);

// The classes of the pixels of a part of a picture that is drawn with another size than the map's,
// part.height × part.width: that of all the map's pixels under a pixel's footprint if it is the
// same. Costs about twice the map's pixels and the part's together.
void alpha_classes(const uint8_t* map, int height, int width, int drawn_height, int drawn_width,
                   const Part& part, int threads, uint8_t* classes, AlphaMapWorkspace& workspace);

}  // namespace gi
