// What decoding a layer needs from the instruction set's own code.
#pragma once

#include <memory>

#include "layer/layer.h"

namespace gi {

struct StreamBytes {
  const uint8_t* data;
  size_t size;
};

// A layer's bytes, taken apart, and where its Gaussians go.
struct ParsedLayer {
  uint32_t counts[precisions];  // by precision class
  StreamBytes positions, colors, shapes;
  size_t begin, end;  // Gaussians of the file
};

// Decodes the layers of one file after another, in their order, and keeps its memory. `layer` has
// room for all. The three streams of a layer may be decoded at the same time, but for shapes, which
// need the colors. False when the stream is not what a layer of these counts can be.
class LayerStreams {
 public:
  virtual ~LayerStreams() = default;
  // A file of `layers` layers.
  virtual void begin(const Quantizer& quantizer, int layers) = 0;
  virtual bool positions(const ParsedLayer& part, Layer& layer) = 0;
  virtual bool colors(const ParsedLayer& part, Layer& layer) = 0;
  virtual bool shapes(const ParsedLayer& part, Layer& layer) = 0;
};

}  // namespace gi
