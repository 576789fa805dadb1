// Decodes the streams of a layer. Compiled once for every instruction set.

#include "layer/streams.h"

#include "layer/attributes-isa.h"
#include "layer/models-isa.h"
#include "layer/positions-isa.h"

namespace gi::GI_ISA {
namespace {

// Each stream has its own copy of the models and uses other ones of them, so the streams can be
// decoded at the same time.
class Streams final : public LayerStreams {
 public:
  void begin(const Quantizer& quantizer, int layers) override {
    quantizer_ = quantizer;
    shapes_ = ShapeTables(quantizer);
    for (LayerModels* models : {&position_models_, &color_models_, &shape_models_}) {
      models->begin(layers);
    }
  }

  bool positions(const ParsedLayer& part, Layer& layer) override {
    Decoder coder(part.positions.data, part.positions.size);
    PositionCoder<Decoder> positions(coder, position_models_, position_workspace_);
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

  bool colors(const ParsedLayer& part, Layer& layer) override {
    Decoder coder(part.colors.data, part.colors.size);
    code_colors(coder, color_models_, quantizer_.channels, layer, part.begin, part.end,
                luma_levels_);
    ++color_models_.layer;
    return coder.finished_cleanly();
  }

  bool shapes(const ParsedLayer& part, Layer& layer) override {
    Decoder coder(part.shapes.data, part.shapes.size);
    code_shapes(coder, shape_models_, shapes_, layer, part.begin, part.end, sizes_);
    ++shape_models_.layer;
    return coder.finished_cleanly();
  }

 private:
  Quantizer quantizer_{};
  ShapeTables shapes_{quantizer_};
  LayerModels position_models_, color_models_, shape_models_;
  PositionWorkspace position_workspace_;
  std::vector<uint8_t> luma_levels_;
  std::vector<CodedSize> sizes_;
};

}  // namespace

std::unique_ptr<LayerStreams> make_layer_streams() { return std::make_unique<Streams>(); }

}  // namespace gi::GI_ISA
