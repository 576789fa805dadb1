// Decodes the streams of a layer. Compiled once for every instruction set.

#include "layer/streams.h"

#include "layer/attributes-isa.h"
#include "layer/models-isa.h"
#include "layer/positions-isa.h"

namespace gi::GI_ISA {
namespace {

// The streams of a layer use different models, so they can be decoded at the same time.
class Streams final : public LayerStreams {
 public:
  void begin(const Quantizer& quantizer, int layers) override {
    quantizer_ = quantizer;
    shapes_ = ShapeTables(quantizer);
    models_.begin(layers);
  }

  bool positions(const ParsedLayer& part, Layer& layer) override {
    return decode(part, part.positions, [&](auto& coder) {
      PositionCoder positions(coder, models_, position_workspace_);
      size_t begin = part.begin;
      for (int j = precisions - 1; j >= 0; --j) {
        if (part.counts[j] == 0) continue;
        int64_t columns, rows;
        grid_size(quantizer_, j, columns, rows);
        positions.splits(columns, rows, part.counts[j], layer.position.data() + 2 * begin);
        begin += part.counts[j];
        if (coder.failed()) return;
      }
      positions.places(layer.position.data() + 2 * part.begin);
    });
  }

  bool colors(const ParsedLayer& part, Layer& layer) override {
    return decode(part, part.colors, [&](auto& coder) {
      code_colors(coder, models_, quantizer_.channels, layer, part.begin, part.end, luma_levels_);
      ++models_.layer;  // only colors depend on it
    });
  }

  bool shapes(const ParsedLayer& part, Layer& layer) override {
    return decode(part, part.shapes, [&](auto& coder) {
      code_shapes(coder, models_, shapes_, layer, part.begin, part.end, shape_workspace_);
    });
  }

 private:
  // Runs a function on a decoder of the stream. Returns whether the stream is valid.
  template <typename Read>
  static bool decode(const ParsedLayer& part, const StreamBytes& stream, Read&& read) {
    const auto with_states = [&](auto coder) {
      read(coder);
      return coder.finished_cleanly();
    };
    return part.end - part.begin < large_layer
               ? with_states(BasicDecoder<few_states>(stream.data, stream.size))
               : with_states(BasicDecoder<many_states>(stream.data, stream.size));
  }

  Quantizer quantizer_{};
  ShapeTables shapes_{quantizer_};
  LayerModels models_;
  PositionWorkspace position_workspace_;
  std::vector<uint8_t> luma_levels_;
  ShapeWorkspace shape_workspace_;
};

}  // namespace

std::unique_ptr<LayerStreams> make_layer_streams() { return std::make_unique<Streams>(); }

}  // namespace gi::GI_ISA
