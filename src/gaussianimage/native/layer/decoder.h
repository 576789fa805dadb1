// The layers of a file, from bytes to integers.
#pragma once

#include <memory>
#include <vector>

#include "layer/layer.h"
#include "layer/streams.h"

namespace gi {

// Decodes file after file, and keeps its memory.
class LayerDecoder {
 public:
  // Decodes the first layers of a file of `announced` layers and at most `most` Gaussians. Returns
  // the number of complete layers before the first damaged one. `out` gets their Gaussians, and
  // `ends` the number of Gaussians after each of them.
  size_t decode(const Quantizer& quantizer, const std::vector<LayerBytes>& layers, int announced,
                size_t most, int threads, Layer& out, std::vector<size_t>& ends);

 private:
  std::vector<ParsedLayer> parts_;
  std::unique_ptr<LayerStreams> streams_;
};

}  // namespace gi
