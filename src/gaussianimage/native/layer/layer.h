// A layer of Gaussians as integers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "layer/quantizer.h"

namespace gi {

// The Gaussians of one layer. In a file they are ordered by falling precision class, then along the
// Z-shaped curve of the position coder; an encoder takes them in any order.
struct Layer {
  std::vector<uint8_t> precision;  // (n)
  std::vector<int32_t> position;   // (n, 2): cell of the class's grid, x then y
  std::vector<int32_t> color;      // (n, channels), in color steps
  std::vector<int32_t> shape;      // (n, 3), in the steps that the amplitude implies
  size_t count() const { return precision.size(); }
};

// The encoded bytes of a layer.
using LayerBytes = std::pair<const uint8_t*, size_t>;

// The most Gaussians that a decoder takes for each byte of a layer. A Gaussian that shows costs at
// least a bit, so a layer with more of them is damaged.
constexpr size_t max_gaussians_per_byte = 16;

// Throws std::out_of_range when a layer has a value that no file can hold.
void validate(const Quantizer& quantizer, const Layer& layer);

}  // namespace gi
