// The syntax of a layer, once for writing, reading and measuring: every function here is a
// template over the coder of rans.h and is told the values when encoding, and finds them when
// decoding.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "layer.h"
#include "priors.h"
#include "rans.h"

namespace gi::GI_ISA {

// The adaptive models, one after the other. They live as long as the file: a layer goes on with
// what the layers before it have taught them. They start from `model_priors`.
enum ModelGroup {
  luma = 0,               // by layer (4 sets) and precision class
  chroma_1 = luma + 64,   // by layer, the luma's level and the chroma of the Gaussian before
  chroma_2 = chroma_1 + 64,  // by the levels of the first chroma and the luma
  alpha = chroma_2 + 24,     // by the luma's level
  size = alpha + 4,          // by amplitude class; the shape's two others likewise
  shear_1 = size + 16,
  shear_2 = shear_1 + 16,
  size_escape = shear_2 + 16,  // below and above
  // How n Gaussians of a cell split between its halves, for n = 1 … 14; then, for more, the
  // sixteenth of n that goes to the first half. The second set is for cells that cross the
  // grid's border.
  split = size_escape + 2,
  model_count = split + 2 * 15
};

inline int alphabet_of(int model) {
  const int n = model < split ? 0 : (model - split) % 15 + 1;
  return n == 0 || n == 15 ? 16 : n + 1;
}

struct LayerModels {
  std::vector<Model> models;
  int layers;         // in the whole file
  int layer = 0;      // the current one

  explicit LayerModels(int layer_count) : layers(layer_count) {
    models.reserve(model_count);
    for (int i = 0; i < model_count; ++i) {
      models.emplace_back(model_priors[i], alphabet_of(i),
                          prior_confidence);
    }
  }

  Model& operator[](int i) { return models[static_cast<size_t>(i)]; }

  // A file of one layer has Gaussians of all amplitudes in it; of several, falling ones.
  int set() const { return layers == 1 ? 3 : std::min(layer, 2); }
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
    const int set = split + 15 * border;
    if (n <= 14) return coder_.code(models_[set + static_cast<int>(n) - 1], first);
    // Which sixteenth of 0 … n, then where in it.
    const auto bound = [n](uint32_t i) {
      return static_cast<uint32_t>((uint64_t{i} * (n + 1) + 15) / 16);
    };
    uint32_t part = static_cast<uint32_t>(uint64_t{first} * 16 / (n + 1));
    part = coder_.code(models_[set + 14], part);
    const uint32_t low = bound(part);
    return low + code_uniform(coder_, first - low, bound(part + 1) - low);
  }

  Coder& coder_;
  LayerModels& models_;
  const int64_t columns_, rows_;
  int32_t* cells_;
};

// How large a level is, in classes that end before each bound.
template <size_t N>
int level_class(int32_t value, const uint32_t (&bounds)[N]) {
  const uint32_t magnitude = magnitude_of(value);
  int level = 0;
  for (const uint32_t bound : bounds) level += magnitude >= bound;
  return level;
}

// A signed value whose small magnitudes have a symbol for each sign.
template <typename Coder>
int32_t code_lopsided(Coder& coder, Model& model, Model& below, Model& above, int32_t value) {
  const uint32_t symbol =
      coder.code(model, static_cast<uint32_t>(std::clamp(value, -8, 7) + 8));
  if (symbol == 0) {
    return -8 - static_cast<int32_t>(code_unsigned(coder, below, magnitude_of(value) - 8));
  }
  if (symbol == 15) {
    return 7 + static_cast<int32_t>(code_unsigned(coder, above, magnitude_of(value) - 7));
  }
  return static_cast<int32_t>(symbol) - 8;
}

// Color and shape of Gaussian i, whose precision class is known; `before` is the Gaussian before it
// in the same class of the same layer, or i itself if there is none.
template <typename Coder>
void code_attributes(Coder& coder, LayerModels& models, const Quantizer& quantizer, Layer& layer,
                     size_t i, bool first_of_class) {
  static constexpr uint32_t luma_bounds[] = {3, 6, 9};
  static constexpr uint32_t before_bounds[] = {1, 3, 7};
  static constexpr uint32_t chroma_bounds[] = {1, 2, 3, 5, 8};
  const int channels = quantizer.channels;
  const int precision = layer.precision[i];
  const int set = models.set();
  int32_t* color = layer.color.data() + i * static_cast<size_t>(channels);
  color[0] = code_signed(coder, models[luma + 16 * set + precision], color[0]);
  const int luma_level = level_class(color[0], luma_bounds);
  if (channels >= 3) {
    int before = 0;
    if (!first_of_class) {
      const int32_t* other = color - channels;
      before = static_cast<int>(std::min(magnitude_of(other[1]), 9u) +
                                std::min(magnitude_of(other[2]), 9u));
    }
    const int context = 16 * set + 4 * luma_level + level_class(before, before_bounds);
    color[1] = code_signed(coder, models[chroma_1 + context], color[1]);
    const int chroma_level = level_class(color[1], chroma_bounds);
    color[2] = code_signed(coder, models[chroma_2 + 4 * chroma_level + luma_level], color[2]);
  }
  if (channels % 2 == 0) {
    color[channels - 1] = code_signed(coder, models[alpha + luma_level], color[channels - 1]);
  }
  const int amplitude = amplitude_class(color, channels);
  const double step = gi::shape_step(quantizer, amplitude);
  // The class's grid follows the size and the amplitude, so the two tell the size.
  constexpr double ln2 = 0.6931471805599453;
  const auto expected =
      static_cast<int32_t>(std::floor(ln2 * (precision - 4 + 0.5 * amplitude) / step + 0.5));
  int32_t* shape = layer.shape.data() + 3 * i;
  shape[0] = expected + code_lopsided(coder, models[size + amplitude], models[size_escape],
                                      models[size_escape + 1], shape[0] - expected);
  shape[1] = code_signed(coder, models[shear_1 + amplitude], shape[1]);
  shape[2] = code_signed(coder, models[shear_2 + amplitude], shape[2]);
}

}  // namespace gi::GI_ISA
