// What decoding a layer needs from the instruction set's own code.
#pragma once

#include <memory>

#include "layer.h"

namespace gi {

// A layer's bytes, taken apart, and where its Gaussians go.
struct LayerPart {
  uint32_t counts[precisions];  // by precision class
  const uint8_t* positions;
  size_t positions_size;
  const uint8_t* attributes;
  size_t attributes_size;
  size_t begin, end;  // Gaussians of the file
};

// Decodes layers in their order. `layer` has room for all; positions and attributes may run on
// two threads. False when the stream is not what a layer of these counts can be.
class LayerStreams {
 public:
  virtual ~LayerStreams() = default;
  virtual bool positions(const LayerPart& part, Layer& layer) = 0;
  virtual bool attributes(const LayerPart& part, Layer& layer) = 0;
};

}  // namespace gi
