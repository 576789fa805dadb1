// Positions as a set: the first of a layer's two streams.
#pragma once

#include <algorithm>
#include <cstdint>

#include "layer_models.h"
#include "rans.h"

namespace gi::GI_ISA {

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
      if constexpr (!Coder::decodes) {
        while (below < n && cells_[2 * (begin + below) + halved] < middle) ++below;
      }
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

}  // namespace gi::GI_ISA
