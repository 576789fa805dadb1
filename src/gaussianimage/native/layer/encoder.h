// The layers of a file, from integers to bytes.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "layer/layer.h"

namespace gi {

// The bits of a layer, by what they are spent on.
struct LayerBits {
  double positions, colors, shapes;
};

// Encodes the layers of one file in their order.
class LayerEncoder {
 public:
  LayerEncoder(const Quantizer& quantizer, int layers);
  ~LayerEncoder();
  LayerEncoder(const LayerEncoder&) = delete;
  LayerEncoder& operator=(const LayerEncoder&) = delete;

  const Quantizer& quantizer() const;

  // Returns the next layer's bytes, and puts `layer` in the order in which a decoder returns it.
  // Throws std::out_of_range as `validate` does, and when a layer is so uniform that a decoder
  // would take its few bytes for damage.
  std::vector<uint8_t> encode(Layer& layer);

  // Returns the bits that `encode` would spend, and encodes nothing. `raw`: only the bits that no
  // model codes.
  LayerBits measure(const Layer& layer, bool raw = false) const;

  // Counts how often each symbol of each model occurs in the next layer, 16 counts for each model.
  std::vector<uint32_t> tally(Layer& layer);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace gi
