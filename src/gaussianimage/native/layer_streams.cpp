// Decoding the two streams of a layer: compiled once for every instruction set.

#include "layer_streams.h"

#include "attribute_coder.h"
#include "layer_models.h"
#include "position_coder.h"

namespace gi::GI_ISA {
namespace {

// The two streams use different models, so they may be decoded at the same time.
class Streams final : public LayerStreams {
 public:
  Streams(const Quantizer& quantizer, int layers)
      : quantizer_(quantizer), position_models_(layers), attribute_models_(layers) {}

  bool positions(const LayerPart& part, Layer& layer) override {
    Decoder<> coder(part.positions, part.positions_size);
    size_t begin = part.begin;
    for (int j = precisions - 1; j >= 0; --j) {
      if (part.counts[j] == 0) continue;
      int64_t columns, rows;
      grid_size(quantizer_, j, columns, rows);
      PositionCoder<Decoder<>>(coder, position_models_, columns, rows,
                               layer.position.data() + 2 * begin)
          .run(part.counts[j]);
      begin += part.counts[j];
      if (coder.failed()) return false;
    }
    ++position_models_.layer;
    return coder.finished_cleanly();
  }

  bool attributes(const LayerPart& part, Layer& layer) override {
    Decoder<> coder(part.attributes, part.attributes_size);
    const size_t channels = static_cast<size_t>(quantizer_.channels);
    size_t begin = part.begin;
    for (int j = precisions - 1; j >= 0; --j) {
      const size_t end = begin + part.counts[j];
      for (size_t i = begin; i < end; ++i) {
        code_attributes(coder, attribute_models_, quantizer_, layer, i, i == begin);
        if (!has_a_shape(quantizer_, layer.color.data() + channels * i,
                         layer.shape.data() + 3 * i)) {
          return false;
        }
      }
      begin = end;
      if (coder.failed()) return false;
    }
    ++attribute_models_.layer;
    return coder.finished_cleanly();
  }

 private:
  const Quantizer quantizer_;
  LayerModels position_models_, attribute_models_;
};

}  // namespace

std::unique_ptr<LayerStreams> make_layer_streams(const Quantizer& quantizer, int layers) {
  return std::make_unique<Streams>(quantizer, layers);
}

}  // namespace gi::GI_ISA
