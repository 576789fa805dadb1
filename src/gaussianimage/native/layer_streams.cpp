// Decoding the streams of a layer: compiled once for every instruction set.

#include "layer_streams.h"

#include "attribute_coder.h"
#include "layer_models.h"
#include "position_coder.h"

namespace gi::GI_ISA {
namespace {

// The streams use different models, and each has its own copy of them, so they can be decoded at
// the same time.
class Streams final : public LayerStreams {
 public:
  Streams(const Quantizer& quantizer, int layers)
      : quantizer_(quantizer),
        tables_(quantizer),
        position_models_(layers),
        color_models_(layers),
        shape_models_(layers) {}

  bool positions(const LayerPart& part, Layer& layer) override {
    Decoder coder(part.positions.data, part.positions.size);
    PositionCoder<Decoder> positions(coder, position_models_);
    size_t begin = part.begin;
    for (int j = precisions - 1; j >= 0; --j) {
      if (part.counts[j] == 0) continue;
      int64_t columns, rows;
      grid_size(quantizer_, j, columns, rows);
      positions.splits(columns, rows, part.counts[j], layer.position.data() + 2 * begin);
      begin += part.counts[j];
      if (coder.failed()) return false;
    }
    positions.places(layer.position.data() + 2 * part.begin);
    ++position_models_.layer;
    return coder.finished_cleanly();
  }

  bool colors(const LayerPart& part, Layer& layer) override {
    Decoder coder(part.colors.data, part.colors.size);
    code_colors(coder, color_models_, quantizer_, layer, part.begin, part.end);
    ++color_models_.layer;
    return coder.finished_cleanly();
  }

  bool shapes(const LayerPart& part, Layer& layer) override {
    Decoder coder(part.shapes.data, part.shapes.size);
    code_shapes(coder, shape_models_, quantizer_, tables_, layer, part.begin, part.end);
    ++shape_models_.layer;
    return coder.finished_cleanly();
  }

 private:
  const Quantizer quantizer_;
  const Shapes tables_;
  LayerModels position_models_, color_models_, shape_models_;
};

}  // namespace

std::unique_ptr<LayerStreams> make_layer_streams(const Quantizer& quantizer, int layers) {
  return std::make_unique<Streams>(quantizer, layers);
}

}  // namespace gi::GI_ISA
