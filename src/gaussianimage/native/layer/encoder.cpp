#include <algorithm>
#include <array>
#include <numeric>
#include <stdexcept>

#include "base/interrupt.h"
#include "layer/attributes-isa.h"
#include "layer/encoder.h"
#include "layer/models-isa.h"
#include "layer/positions-isa.h"

namespace gi {
namespace {

using GI_ISA::BasicEncoder;
using GI_ISA::code_colors;
using GI_ISA::code_shapes;
using GI_ISA::LayerModels;
using GI_ISA::Meter;
using GI_ISA::PositionCoder;
using GI_ISA::PositionWorkspace;
using GI_ISA::ShapeWorkspace;

// Interleaves the bits of x and y, x first: the place on the Z-shaped curve.
uint64_t interleave(uint32_t x, uint32_t y) {
  uint64_t key = 0;
  for (int bit = 31; bit >= 0; --bit) key = key << 2 | (x >> bit & 1) << 1 | (y >> bit & 1);
  return key;
}

template <typename T>
void permute(std::vector<T>& values, size_t width, const std::vector<uint32_t>& order) {
  std::vector<T> result(values.size());
  for (size_t i = 0; i < order.size(); ++i) {
    std::copy_n(values.begin() + static_cast<ptrdiff_t>(order[i] * width), width,
                result.begin() + static_cast<ptrdiff_t>(i * width));
  }
  values = std::move(result);
}

void sort(Layer& layer, int channels) {
  std::vector<uint32_t> order(layer.count());
  std::iota(order.begin(), order.end(), 0u);
  std::vector<uint64_t> keys(layer.count());
  for (size_t i = 0; i < keys.size(); ++i) {
    keys[i] = interleave(static_cast<uint32_t>(layer.position[2 * i]),
                         static_cast<uint32_t>(layer.position[2 * i + 1]));
  }
  std::stable_sort(order.begin(), order.end(), [&](uint32_t a, uint32_t b) {
    if (layer.precision[a] != layer.precision[b]) return layer.precision[a] > layer.precision[b];
    return keys[a] < keys[b];
  });
  permute(layer.precision, 1, order);
  permute(layer.position, 2, order);
  permute(layer.color, static_cast<size_t>(channels), order);
  permute(layer.shape, 3, order);
}

// Counts the symbols of each model, to make `model_priors` from them.
struct Tally {
  static constexpr bool decodes = false;
  using Run = Tally&;
  using Loose = Tally&;
  const GI_ISA::Model* models;
  std::vector<uint32_t> counts;
  uint32_t code(GI_ISA::Model& model, uint32_t symbol) {
    ++counts[16 * static_cast<size_t>(&model - models) + symbol];
    return symbol;
  }
  uint32_t bits(uint32_t value, int) { return value; }
  uint32_t loose(uint32_t value, int) { return value; }
  void start_plane() {}
  void reject() {}
};

// Writes the streams of a layer that is in the order of the curve.
template <typename Coder>
void write(Coder& positions, Coder& colors, Coder& shapes, LayerModels& models,
           const Quantizer& quantizer, Layer& layer) {
  PositionWorkspace position_workspace;
  PositionCoder<Coder> position_coder(positions, models, position_workspace);
  uint32_t begin = 0;
  for (int j = precisions - 1; j >= 0; --j) {
    uint32_t count = 0;
    while (begin + count < layer.count() && layer.precision[begin + count] == j) ++count;
    if (count == 0) continue;
    check_interrupt();
    int64_t columns, rows;
    grid_size(quantizer, j, columns, rows);
    position_coder.splits(columns, rows, count, layer.position.data() + 2 * begin);
    begin += count;
  }
  position_coder.places(layer.position.data());
  check_interrupt();
  std::vector<uint8_t> luma_levels;
  code_colors(colors, models, quantizer.channels, layer, 0, layer.count(), luma_levels);
  check_interrupt();
  ShapeWorkspace shape_workspace;
  code_shapes(shapes, models, ShapeTables(quantizer), layer, 0, layer.count(), shape_workspace);
}

using Bytes = std::vector<uint8_t>;

// Returns the streams of a layer that is in the order of the curve.
template <int states>
std::array<Bytes, 3> write_streams(LayerModels& models, const Quantizer& quantizer, Layer& layer) {
  BasicEncoder<states> positions, colors, shapes;
  write(positions, colors, shapes, models, quantizer, layer);
  return {positions.finish(), colors.finish(), shapes.finish()};
}

void append_varint(std::vector<uint8_t>& bytes, size_t value) {
  for (; value >= 128; value >>= 7) bytes.push_back(static_cast<uint8_t>(value | 128));
  bytes.push_back(static_cast<uint8_t>(value));
}

}  // namespace

struct LayerEncoder::State {
  Quantizer quantizer;
  LayerModels models;
};

LayerEncoder::LayerEncoder(const Quantizer& quantizer, int layers)
    : state_(std::make_unique<State>(State{quantizer, {}})) {
  state_->models.begin(layers);
}
LayerEncoder::~LayerEncoder() = default;

const Quantizer& LayerEncoder::quantizer() const { return state_->quantizer; }

std::vector<uint8_t> LayerEncoder::encode(Layer& layer) {
  validate(state_->quantizer, layer);
  sort(layer, state_->quantizer.channels);
  const auto streams = layer.count() < GI_ISA::large_layer
                           ? write_streams<GI_ISA::few_states>(state_->models, quantizer(), layer)
                           : write_streams<GI_ISA::many_states>(state_->models, quantizer(), layer);
  ++state_->models.layer;

  uint32_t counts[precisions] = {};
  for (const uint8_t precision : layer.precision) ++counts[precision];
  uint32_t present = 0;
  for (int j = 0; j < precisions; ++j) present |= static_cast<uint32_t>(counts[j] != 0) << j;
  std::vector<uint8_t> bytes = {static_cast<uint8_t>(present), static_cast<uint8_t>(present >> 8)};
  for (int j = precisions - 1; j >= 0; --j) {
    if (counts[j] != 0) append_varint(bytes, counts[j]);
  }
  append_varint(bytes, streams[0].size());
  append_varint(bytes, streams[1].size());
  for (const Bytes& stream : streams) {
    bytes.insert(bytes.end(), stream.begin(), stream.end());
  }
  if (layer.count() > max_gaussians_per_byte * bytes.size()) {
    throw std::out_of_range("too many Gaussians that are all the same");
  }
  return bytes;
}

LayerBits LayerEncoder::measure(const Layer& layer, bool raw) const {
  validate(state_->quantizer, layer);
  Layer sorted = layer;
  sort(sorted, state_->quantizer.channels);
  LayerModels models = state_->models;
  Meter positions, colors, shapes;
  write(positions, colors, shapes, models, state_->quantizer, sorted);
  if (raw) return {positions.raw(), colors.raw(), shapes.raw()};
  return {positions.total(), colors.total(), shapes.total()};
}

std::vector<uint32_t> LayerEncoder::tally(Layer& layer) {
  validate(state_->quantizer, layer);
  sort(layer, state_->quantizer.channels);
  Tally coder{state_->models.models.data(), std::vector<uint32_t>(16 * GI_ISA::model_count)};
  write(coder, coder, coder, state_->models, state_->quantizer, layer);
  ++state_->models.layer;
  return coder.counts;
}

}  // namespace gi
