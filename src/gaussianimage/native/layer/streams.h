// The interface of the layer decoder that is compiled for every instruction set.
#pragma once

#include <memory>

#include "layer/layer.h"

namespace gi {

struct StreamBytes {
  const uint8_t* data;
  size_t size;
};

// A layer's bytes, split into streams, and the place of its Gaussians in the file.
struct ParsedLayer {
  uint32_t counts[precisions];  // by precision class
  StreamBytes positions, colors, shapes;
  size_t begin, end;  // indices of its Gaussians in the file
};

// Decodes the layers of a file in their order, file after file, and keeps its memory. `layer` has
// room for all Gaussians of the file. The streams of a layer may be decoded at the same time,
// except that shapes need the colors. Functions return false when the stream is not valid for a
// layer of these counts.
class LayerStreams {
 public:
  virtual ~LayerStreams() = default;
  // Starts a file of `layers` layers.
  virtual void begin(const Quantizer& quantizer, int layers) = 0;
  virtual bool positions(const ParsedLayer& part, Layer& layer) = 0;
  virtual bool colors(const ParsedLayer& part, Layer& layer) = 0;
  virtual bool shapes(const ParsedLayer& part, Layer& layer) = 0;
};

}  // namespace gi
