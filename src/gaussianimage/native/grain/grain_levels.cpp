#include "grain/grain_levels.h"

#include <algorithm>
#include <array>
#include <stdexcept>

#include "entropy/rans-isa.h"

namespace gi {
namespace {

using Decoder = GI_ISA::BasicDecoder<2>;
using Encoder = GI_ISA::BasicEncoder<2>;
using Model = GI_ISA::SmallModel<grain_levels>;

// Weights of the differences 0 … 15, modulo 16, between a level and its prediction.
constexpr std::array<uint32_t, grain_levels> weights = {60, 40, 15, 5, 1, 1, 1,  1,
                                                        1,  1,  1,  1, 1, 5, 15, 40};
constexpr int confidence = 4;
// Each band but the first is predicted from the change of this band against its own prediction.
constexpr std::array<int, grain_bands> references = {0, 0, 0, 0, 3};

// Returns the mean of the levels to the left and above; one of them if the other does not exist.
int predict(const uint8_t* levels, size_t columns, size_t y, size_t x, int band) {
  const auto at = [&](size_t row, size_t column) {
    return static_cast<int>(
        levels[(row * columns + column) * grain_bands + static_cast<size_t>(band)]);
  };
  if (x == 0) return y == 0 ? 0 : at(y - 1, x);
  if (y == 0) return at(y, x - 1);
  return (at(y, x - 1) + at(y - 1, x)) >> 1;
}

template <typename Coder>
void code_levels(Coder& coder, size_t rows, size_t columns, uint8_t* levels) {
  std::array<Model, grain_bands> models;
  models.fill(Model(weights.data(), confidence));
  typename Coder::Run run(coder);
  for (size_t y = 0; y < rows; ++y) {
    for (size_t x = 0; x < columns; ++x) {
      uint8_t* here = levels + (y * columns + x) * grain_bands;
      std::array<int, grain_bands> expected;
      for (int band = 0; band < grain_bands; ++band) {
        const size_t b = static_cast<size_t>(band);
        expected[b] = predict(levels, columns, y, x, band);
        int predicted = expected[b];
        if (band > 0) {
          const size_t r = static_cast<size_t>(references[b]);
          predicted = std::clamp(predicted + here[r] - expected[r], 0, grain_levels - 1);
        }
        const auto difference = static_cast<uint32_t>(here[b] - predicted) % grain_levels;
        const auto found = static_cast<int>(run.code(models[b], difference));
        here[b] = static_cast<uint8_t>((predicted + found) % grain_levels);
      }
    }
  }
}

}  // namespace

std::vector<uint8_t> encode_grain_levels(const uint8_t* levels, size_t rows, size_t columns) {
  std::vector<uint8_t> copy(levels, levels + rows * columns * grain_bands);
  for (const uint8_t level : copy) {
    if (level >= grain_levels) throw std::invalid_argument("a level of grain is above 15");
  }
  Encoder encoder;
  code_levels(encoder, rows, columns, copy.data());
  return encoder.finish();
}

bool decode_grain_levels(const uint8_t* bytes, size_t size, size_t rows, size_t columns,
                         uint8_t* levels) {
  std::fill_n(levels, rows * columns * grain_bands, uint8_t{0});
  Decoder decoder(bytes, size);
  code_levels(decoder, rows, columns, levels);
  return decoder.finished_cleanly();
}

}  // namespace gi
