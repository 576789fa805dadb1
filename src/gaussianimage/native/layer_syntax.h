// The syntax of a layer, once for writing, reading and measuring: every function here is a
// template over the coder of rans.h and is told the values when encoding, and finds them when
// decoding.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "layer.h"
#include "rans.h"

namespace gi::GI_ISA {

// The adaptive models. They live as long as the file: a layer goes on with what the layers before
// it have taught them.
struct LayerModels {
  // How n Gaussians of a cell split between its halves, for n = 2 … 14; then, for more, the
  // sixteenth of n that goes to the first half. The second set is for cells that cross the
  // grid's border.
  std::vector<Model> split[2];
  std::vector<Model> lone;       // the same for n = 1 in a cell that crosses the border
  std::vector<Model> luma;       // by precision class
  std::vector<Model> chroma[3];  // by what is known of the color so far
  std::vector<Model> shape[3];   // by amplitude class

  LayerModels() {
    for (auto& set : split) {
      for (int n = 2; n <= 14; ++n) set.emplace_back(n + 1);
      set.emplace_back(16);
    }
    for (int i = 0; i < 2; ++i) lone.emplace_back(2);
    for (int i = 0; i < precisions; ++i) luma.emplace_back(16);
    for (int i = 0; i < 7; ++i) chroma[0].emplace_back(16);
    for (int i = 0; i < 28; ++i) chroma[1].emplace_back(16);
    for (int i = 0; i < 7; ++i) chroma[2].emplace_back(16);
    for (auto& set : shape) {
      for (int i = 0; i < 16; ++i) set.emplace_back(16);
    }
  }
};

// A value in 0 … limit - 1, all equally probable: truncated binary.
template <typename Coder>
uint32_t code_uniform(Coder& coder, uint32_t value, uint32_t limit) {
  if (limit <= 1) return 0;
  const int bits = 32 - __builtin_clz(limit - 1);        // of the largest value
  const uint32_t brief = (uint32_t{1} << bits) - limit;  // values that take one bit less
  uint32_t head = code_raw(coder, value < brief ? value : (value + brief) >> 1, bits - 1);
  if (head < brief) return head;
  head = head << 1 | coder.bits((value + brief) & 1, 1);
  return head - brief;
}

// A number of Gaussians: its bit length, then the bits below the leading one.
template <typename Coder>
uint32_t code_count(Coder& coder, uint32_t value) {
  uint32_t length = value == 0 ? 0 : static_cast<uint32_t>(32 - __builtin_clz(value));
  length = coder.bits(length, 5);
  if (length == 0) return 0;
  if (length > 25) {
    coder.reject();
    return 0;
  }
  const uint32_t top = uint32_t{1} << (length - 1);
  return top | code_raw(coder, value & (top - 1), static_cast<int>(length - 1));
}

// The positions of one class: a set of cells, as counts over halves of halves.
//
// Coding a set, not a list, is what saves the log2 n! bits that an order would cost: the decoder
// gets the Gaussians in the order of the walk. When encoding, `cells` holds the class's positions
// in that order already.
template <typename Coder>
class PositionCoder {
 public:
  PositionCoder(Coder& coder, LayerModels& models, int64_t columns, int64_t rows, int32_t* cells)
      : coder_(coder), models_(models), columns_(columns), rows_(rows), cells_(cells) {}

  void run(uint32_t count) {
    int level = 0;
    while ((int64_t{1} << level) < std::max(columns_, rows_)) ++level;
    walk(0, 0, level, false, 0, count);
  }

 private:
  // The square of 2^level cells from (x, y), or its left half when `halved`; then the next split is
  // across, otherwise along x. Cells [begin, end) lie in it.
  void walk(int64_t x, int64_t y, int level, bool halved, uint32_t begin, uint32_t end) {
    const uint32_t n = end - begin;
    if (n == 0) return;
    if (level == 0) {
      for (uint32_t i = begin; i < end; ++i) {
        cells_[2 * i] = static_cast<int32_t>(x);
        cells_[2 * i + 1] = static_cast<int32_t>(y);
      }
      return;
    }
    const int64_t size = int64_t{1} << level, half = size / 2;
    const int64_t width = halved ? half : size;
    const bool inside = x + width <= columns_ && y + size <= rows_;
    if (n == 1 && inside) {
      // Alone: all that remains to be known is noise.
      const uint32_t low_x = static_cast<uint32_t>(cells_[2 * begin] - x);
      const uint32_t low_y = static_cast<uint32_t>(cells_[2 * begin + 1] - y);
      const int bits_x = level - halved;
      const uint32_t found_x = code_raw(coder_, low_x & ((1u << bits_x) - 1), bits_x);
      const uint32_t found_y = code_raw(coder_, low_y & ((1u << level) - 1), level);
      cells_[2 * begin] = static_cast<int32_t>(x + found_x);
      cells_[2 * begin + 1] = static_cast<int32_t>(y + found_y);
      return;
    }
    const int64_t middle = (halved ? y : x) + half;
    const bool none_above = middle >= (halved ? rows_ : columns_);
    uint32_t first = n;
    if (!none_above) {
      uint32_t below = 0;
      while (below < n && cells_[2 * (begin + below) + halved] < middle) ++below;
      first = code_split(below, n, !inside);
    }
    if (halved) {
      walk(x, y, level - 1, false, begin, begin + first);
      walk(x, middle, level - 1, false, begin + first, end);
    } else {
      walk(x, y, level, true, begin, begin + first);
      walk(middle, y, level, true, begin + first, end);
    }
  }

  uint32_t code_split(uint32_t first, uint32_t n, bool border) {
    if (n == 1) return coder_.code(models_.lone[border], first);
    auto& models = models_.split[border];
    if (n <= 14) return coder_.code(models[n - 2], first);
    // Which sixteenth of 0 … n, then where in it.
    const auto bound = [n](uint32_t i) {
      return static_cast<uint32_t>((uint64_t{i} * (n + 1) + 15) / 16);
    };
    uint32_t part = static_cast<uint32_t>(uint64_t{first} * 16 / (n + 1));
    part = coder_.code(models[13], part);
    const uint32_t low = bound(part);
    return low + code_uniform(coder_, first - low, bound(part + 1) - low);
  }

  Coder& coder_;
  LayerModels& models_;
  const int64_t columns_, rows_;
  int32_t* cells_;
};

// Color and shape of Gaussian i, whose precision class is known.
template <typename Coder>
void code_attributes(Coder& coder, LayerModels& models, const Quantizer& quantizer, Layer& layer,
                     size_t i) {
  const int channels = quantizer.channels;
  const int precision = layer.precision[i];
  int32_t* color = layer.color.data() + i * static_cast<size_t>(channels);
  color[0] = code_signed(coder, models.luma[static_cast<size_t>(precision)], color[0]);
  const auto level = [](int32_t value, uint32_t most) {
    return std::min(magnitude_of(value), most);
  };
  if (channels == 2) {
    color[1] = code_signed(coder, models.chroma[2][level(color[0], 6)], color[1]);
  } else if (channels >= 3) {
    const uint32_t luma = level(color[0], 6);
    color[1] = code_signed(coder, models.chroma[0][luma], color[1]);
    color[2] = code_signed(coder, models.chroma[1][7 * level(color[1], 3) + luma], color[2]);
    if (channels == 4) color[3] = code_signed(coder, models.chroma[2][luma], color[3]);
  }
  const int amplitude = amplitude_class(color, channels);
  const double step = gi::shape_step(quantizer, amplitude);
  // The class's grid follows the size and the amplitude, so the two tell the size.
  constexpr double ln2 = 0.6931471805599453;
  const auto expected =
      static_cast<int32_t>(std::floor(ln2 * (precision - 4 + 0.5 * amplitude) / step + 0.5));
  int32_t* shape = layer.shape.data() + 3 * i;
  const size_t a = static_cast<size_t>(amplitude);
  shape[0] = expected + code_signed(coder, models.shape[0][a], shape[0] - expected);
  shape[1] = code_signed(coder, models.shape[1][a], shape[1]);
  shape[2] = code_signed(coder, models.shape[2][a], shape[2]);
}

}  // namespace gi::GI_ISA
