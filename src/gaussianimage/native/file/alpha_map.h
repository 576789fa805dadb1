// The alpha map of a file: which pixels are fully transparent and which fully opaque, and the
// classes that follow for a picture that is drawn at another size.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "render/alpha_class.h"
#include "render/gaussians.h"

namespace gi {

// Memory that decoding keeps from one file to the next.
struct AlphaMapWorkspace {
  std::vector<uint8_t> kinds, rows, sets;
};

// Returns the payload of a map of height × width classes, row by row. Throws std::out_of_range for
// a class other than transparent, opaque and between.
std::vector<uint8_t> encode_alpha_map(const uint8_t* classes, int height, int width);

// Decodes a payload. Returns false if it is not a map of this size.
bool decode_alpha_map(const uint8_t* bytes, size_t size, int height, int width,
                      std::vector<uint8_t>& classes, AlphaMapWorkspace& workspace);

// A rectangle of a map.
struct AlphaTile {
  Part place;              // in the map
  const uint8_t* classes;  // place.height × place.width, or null if all pixels have one class
  uint8_t all;             // that class; as_drawn if nothing is known of the pixels
};

// Adds the classes of a tile's pixels to the sets of the drawn pixels that they are under. A set is
// one of a pixel of a part of a picture, which is drawn at another size than the map's; bit c of it
// stands for class c.
void add_alpha_sets(const AlphaTile& tile, int height, int width, int drawn_height, int drawn_width,
                    const Part& part, int threads, uint8_t* sets, AlphaMapWorkspace& workspace);

// Replaces the sets by the classes of the drawn pixels. A pixel gets the class of the map's pixels
// under it if they all have the same class.
void alpha_sets_to_classes(uint8_t* sets, size_t count);

// Computes the classes of a part of a picture, part.height × part.width, that is drawn at another
// size than the map's. The time is about that of passing twice over the pixels of the map and of
// the part.
void alpha_classes(const uint8_t* map, int height, int width, int drawn_height, int drawn_width,
                   const Part& part, int threads, uint8_t* classes, AlphaMapWorkspace& workspace);

}  // namespace gi
