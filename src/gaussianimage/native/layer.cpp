#include "layer.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>
#include <stdexcept>

#include "layer_syntax.h"

namespace gi {
namespace {

using GI_ISA::code_attributes;
using GI_ISA::code_count;
using GI_ISA::Decoder;
using GI_ISA::Encoder;
using GI_ISA::LayerModels;
using GI_ISA::Meter;
using GI_ISA::PositionCoder;

// Bounds on log-covariance that keep σ between 0.001 and 10^6 px and the aspect ratio below 10^8.
constexpr double least_size = -7, most_size = 14, most_shear = 9.3;

// A Gaussian that shows takes a bit at least, so more of them than these are damage.
constexpr size_t most_per_byte = 16;

// e^x for |x| < 100, by plain arithmetic: the same bits everywhere.
double exp_exact(double x) {
  const double n = std::floor(x * 1.4426950408889634 + 0.5);
  const double r = (x - n * 0.6931471803691238) - n * 1.9082149292705877e-10;
  double p = 1.0 / 6227020800.0;
  for (int k = 12; k >= 0; --k) {
    static constexpr double inverse[] = {1.0,
                                         1.0,
                                         1.0 / 2,
                                         1.0 / 6,
                                         1.0 / 24,
                                         1.0 / 120,
                                         1.0 / 720,
                                         1.0 / 5040,
                                         1.0 / 40320,
                                         1.0 / 362880,
                                         1.0 / 3628800,
                                         1.0 / 39916800,
                                         1.0 / 479001600};
    p = p * r + inverse[k];
  }
  const int64_t bits = (static_cast<int64_t>(n) + 1023) << 52;
  double scale;
  std::memcpy(&scale, &bits, sizeof scale);
  return p * scale;
}

// Bits of x and y in turn, x first: the order of the walk.
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

// Counts the symbols of each model: what `model_priors` is made from.
struct Tally {
  const GI_ISA::Model* models;
  std::vector<uint32_t> counts;
  uint32_t code(GI_ISA::Model& model, uint32_t symbol) {
    ++counts[16 * static_cast<size_t>(&model - models) + symbol];
    return symbol;
  }
  uint32_t bits(uint32_t value, int) { return value; }
  void reject() {}
};

// Where the bits go, for `measure`; nothing to the other coders.
template <typename Coder>
void note(const Coder&, double&) {}
void note(const Meter& meter, double& total) { total = meter.total(); }

// A layer in the order of the walk; sizes of the classes are counted here.
template <typename Coder>
void write(Coder& coder, LayerModels& models, const Quantizer& quantizer, Layer& layer,
           double& position_bits) {
  uint32_t begin = 0;
  double before = 0, after = 0;
  for (int j = precisions - 1; j >= 0; --j) {
    uint32_t count = 0;
    while (begin + count < layer.count() && layer.precision[begin + count] == j) ++count;
    note(coder, before);
    code_count(coder, count);
    if (count == 0) continue;
    int64_t columns, rows;
    grid_size(quantizer, j, columns, rows);
    PositionCoder<Coder>(coder, models, columns, rows, layer.position.data() + 2 * begin)
        .run(count);
    note(coder, after);
    position_bits += after - before;
    for (uint32_t i = begin; i < begin + count; ++i) {
      code_attributes(coder, models, quantizer, layer, i, i == begin);
    }
    begin += count;
  }
}

// Whether a decoder takes the shape of a Gaussian with this color.
bool has_a_shape(const Quantizer& quantizer, const int32_t* color, const int32_t* shape) {
  const double step = shape_step(quantizer, amplitude_class(color, quantizer.channels));
  const double s = shape[0] * step, d1 = shape[1] * step, d2 = shape[2] * step;
  return s >= least_size && s <= most_size && std::sqrt(d1 * d1 + d2 * d2) <= most_shear;
}

}  // namespace

void check(const Quantizer& quantizer, const Layer& layer) {
  const size_t channels = static_cast<size_t>(quantizer.channels);
  for (size_t i = 0; i < layer.count(); ++i) {
    int64_t columns, rows;
    if (layer.precision[i] >= precisions) throw std::out_of_range("no such precision class");
    const int32_t* color = layer.color.data() + channels * i;
    for (size_t k = 0; k < channels; ++k) {
      if (GI_ISA::magnitude_of(color[k]) > GI_ISA::max_unsigned) {
        throw std::out_of_range("color out of range");
      }
    }
    if (!has_a_shape(quantizer, color, layer.shape.data() + 3 * i)) {
      throw std::out_of_range("size or elongation out of range");
    }
    grid_size(quantizer, layer.precision[i], columns, rows);
    const int32_t x = layer.position[2 * i], y = layer.position[2 * i + 1];
    if (x < 0 || y < 0 || x >= columns || y >= rows) {
      throw std::out_of_range("position outside of the grid");
    }
  }
}

void grid_size(const Quantizer& quantizer, int precision, int64_t& columns, int64_t& rows) {
  const int64_t cell = int64_t{1} << precision;
  columns = (quantizer.width * int64_t{16} + cell - 1) / cell;
  rows = (quantizer.height * int64_t{16} + cell - 1) / cell;
}

int amplitude_class(const int32_t* color, int channels) {
  uint64_t square = 0;
  for (int k = 0; k < channels; ++k) {
    const auto value =
        static_cast<uint64_t>(std::min<uint32_t>(GI_ISA::magnitude_of(color[k]), 4096));
    square += value * value;
  }
  // floor(log2(square) + 1/2) = floor(log2(2 square²) / 2).
  if (square == 0) return 0;
  return std::min((63 - __builtin_clzll(2 * square * square)) >> 1, 15);
}

double shape_step(const Quantizer& quantizer, int amplitude) {
  static constexpr double half_octaves[16] = {
      1.0,      0.7071067811865476,   0.5,       0.3535533905932738,  0.25,    0.1767766952966369,
      0.125,    0.08838834764831845,  0.0625,    0.04419417382415922, 0.03125, 0.02209708691207961,
      0.015625, 0.011048543456039806, 0.0078125, 0.005524271728019903};
  return std::min(quantizer.shape_step * half_octaves[amplitude], 0.7);
}

struct LayerEncoder::State {
  Quantizer quantizer;
  LayerModels models;
};

LayerEncoder::LayerEncoder(const Quantizer& quantizer, int layers)
    : state_(new State{quantizer, LayerModels(layers)}) {}
LayerEncoder::~LayerEncoder() { delete state_; }

const Quantizer& LayerEncoder::quantizer() const { return state_->quantizer; }

std::vector<uint8_t> LayerEncoder::encode(Layer& layer) {
  check(state_->quantizer, layer);
  sort(layer, state_->quantizer.channels);
  Encoder<> coder;
  double ignored = 0;
  write(coder, state_->models, state_->quantizer, layer, ignored);
  ++state_->models.layer;
  std::vector<uint8_t> bytes = coder.finish();
  if (layer.count() > most_per_byte * bytes.size()) {
    throw std::out_of_range("too many Gaussians that are all the same");
  }
  return bytes;
}

LayerBits LayerEncoder::measure(const Layer& layer) const {
  check(state_->quantizer, layer);
  Layer sorted = layer;
  sort(sorted, state_->quantizer.channels);
  LayerModels models = state_->models;
  Meter meter;
  LayerBits bits{};
  write(meter, models, state_->quantizer, sorted, bits.positions);
  bits.attributes = meter.total() - bits.positions;
  return bits;
}

std::vector<uint32_t> LayerEncoder::tally(Layer& layer) {
  sort(layer, state_->quantizer.channels);
  Tally coder{state_->models.models.data(), std::vector<uint32_t>(16 * GI_ISA::model_count)};
  double ignored = 0;
  write(coder, state_->models, state_->quantizer, layer, ignored);
  ++state_->models.layer;
  return coder.counts;
}

struct LayerDecoder::State {
  Quantizer quantizer;
  LayerModels models;
};

LayerDecoder::LayerDecoder(const Quantizer& quantizer, int layers)
    : state_(new State{quantizer, LayerModels(layers)}) {}
LayerDecoder::~LayerDecoder() { delete state_; }

bool LayerDecoder::decode(const uint8_t* bytes, size_t size, size_t most, Layer& layer) {
  const Quantizer& quantizer = state_->quantizer;
  const size_t channels = static_cast<size_t>(quantizer.channels);
  Decoder<> coder(bytes, size);
  for (int j = precisions - 1; j >= 0; --j) {
    const size_t begin = layer.count();
    const size_t count = code_count(coder, 0);
    if (coder.failed() || count > most - begin || count > most_per_byte * size) return false;
    if (count == 0) continue;
    layer.precision.resize(begin + count, static_cast<uint8_t>(j));
    layer.position.resize(2 * (begin + count));
    layer.color.resize(channels * (begin + count));
    layer.shape.resize(3 * (begin + count));
    int64_t columns, rows;
    grid_size(quantizer, j, columns, rows);
    PositionCoder<Decoder<>>(coder, state_->models, columns, rows,
                             layer.position.data() + 2 * begin)
        .run(static_cast<uint32_t>(count));
    for (size_t i = begin; i < begin + count; ++i) {
      code_attributes(coder, state_->models, quantizer, layer, i, i == begin);
      if (!has_a_shape(quantizer, layer.color.data() + channels * i, layer.shape.data() + 3 * i)) {
        return false;
      }
    }
    if (coder.failed()) return false;
  }
  ++state_->models.layer;
  return coder.finished_cleanly();
}

void dequantize(const Quantizer& quantizer, const Layer& layer, size_t begin, size_t end,
                double* means, double* cholesky, float* colors) {
  const int channels = quantizer.channels;
  for (size_t i = begin; i < end; ++i, means += 2, cholesky += 3, colors += channels) {
    const double cell = static_cast<double>(1 << layer.precision[i]) / 16;
    means[0] = (layer.position[2 * i] + 0.5) * cell;
    means[1] = (layer.position[2 * i + 1] + 0.5) * cell;

    const int32_t* color = layer.color.data() + static_cast<size_t>(channels) * i;
    const double step = shape_step(quantizer, amplitude_class(color, channels));
    const double s = layer.shape[3 * i] * step;
    const double d1 = layer.shape[3 * i + 1] * step, d2 = layer.shape[3 * i + 2] * step;
    // Σ = exp(2 S) for S = [[s + d1, d2], [d2, s - d1]], whose eigenvalues are s ± r:
    // Σ = e^2s (cosh 2r + sinh 2r / r [[d1, d2], [d2, -d1]]), and det Σ = e^4s.
    const double r = std::sqrt(d1 * d1 + d2 * d2);
    const double up = exp_exact(2 * r), down = 1 / up, size = exp_exact(s), area = size * size;
    const double slope = r > 1e-6 ? 0.5 * (up - down) / r : 2.0;
    const double l11 = size * std::sqrt(0.5 * (up + down) + slope * d1);
    cholesky[0] = l11;
    cholesky[1] = area * slope * d2 / l11;
    cholesky[2] = area / l11;

    // Unit energy: a color of norm 1 has ∫ |c|² exp(-2q) = 1, so c = b / (√π e^s).
    const double scale = quantizer.color_step / (1.7724538509055159 * size);
    const double b0 = scale * color[0];
    if (channels < 3) {
      colors[0] = static_cast<float>(b0);
      if (channels == 2) colors[1] = static_cast<float>(scale * color[1]);
      continue;
    }
    // Orthonormal: (1, 1, 1) / √3, (1, 0, -1) / √2, (-1, 2, -1) / √6.
    const double y = b0 * 0.5773502691896258, o = scale * color[1] * 0.7071067811865476;
    const double g = scale * color[2] * 0.4082482904638631;
    colors[0] = static_cast<float>(y + o - g);
    colors[1] = static_cast<float>(y + 2 * g);
    colors[2] = static_cast<float>(y - o - g);
    if (channels == 4) colors[3] = static_cast<float>(scale * color[3]);
  }
}

}  // namespace gi
