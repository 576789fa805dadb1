// Positions as a set: the first of a layer's three streams.
#pragma once

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

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

// A square of 2^level cells, or half of one, and the Gaussians [begin, begin + count) in it.
struct PositionNode {
  uint32_t x, y;
  uint32_t begin, count;
};

// How many low bits of a position are open.
struct OpenBits {
  uint8_t x, y;
};

// What a PositionCoder works in, to be used again by the next.
struct PositionRoom {
  std::vector<OpenBits> open;
  std::vector<PositionNode> nodes, parents;
};

// The positions of a layer: for each class a set of cells, as counts over halves of halves.
//
// Coding a set, not a list, is what saves the log2 n! bits that an order would cost: the decoder
// gets the Gaussians in the order of a Z-shaped walk. All squares of one size are split before the
// next smaller ones, so a split never waits for the one before it. When encoding, the positions are
// in the order of the walk already.
template <typename Coder>
class PositionCoder {
 public:
  PositionCoder(Coder& coder, LayerModels& models, PositionRoom& room)
      : coder_(coder),
        models_(models),
        open_(room.open),
        nodes_(room.nodes),
        parents_(room.parents) {
    open_.clear();
  }

  // The counts of a class of `count` Gaussians, whose positions are at `cells`.
  void splits(int64_t columns, int64_t rows, uint32_t count, int32_t* cells) {
    columns_ = static_cast<uint32_t>(columns);
    rows_ = static_cast<uint32_t>(rows);
    cells_ = cells;
    open_.resize(open_.size() + count);
    open_here_ = open_.data() + (open_.size() - count);
    int level = 0;
    while ((uint32_t{1} << level) < std::max(columns_, rows_)) ++level;
    nodes_.clear();
    keep({0, 0, 0, count}, level, false);
    bool halved = false;
    while (level > 0 && !nodes_.empty()) {
      std::swap(nodes_, parents_);
      nodes_.clear();
      split_nodes(level, halved);
      level -= halved;
      halved = !halved;
    }
    for (const Node& node : nodes_) {
      for (uint32_t i = node.begin; i < node.begin + node.count; ++i)
        place(i, node.x, node.y, 0, 0);
    }
  }

  // What the splits of all classes have left open; the layer's positions are at `cells`.
  void places(int32_t* cells) {
    typename Coder::Loose bits(coder_);
    for (const OpenBits open : open_) {
      const uint32_t x = static_cast<uint32_t>(cells[0]) & ((1u << open.x) - 1);
      const uint32_t y = static_cast<uint32_t>(cells[1]) & ((1u << open.y) - 1);
      const uint32_t found_x = bits.loose(x, open.x);
      const uint32_t found_y = bits.loose(y, open.y);
      if constexpr (Coder::decodes) {
        cells[0] += static_cast<int32_t>(found_x);
        cells[1] += static_cast<int32_t>(found_y);
      }
      cells += 2;
    }
  }

 private:
  using Node = PositionNode;

  void place(uint32_t i, uint32_t x, uint32_t y, int open_x, int open_y) {
    open_here_[i] = {static_cast<uint8_t>(open_x), static_cast<uint8_t>(open_y)};
    if constexpr (Coder::decodes) {
      cells_[2 * i] = static_cast<int32_t>(x);
      cells_[2 * i + 1] = static_cast<int32_t>(y);
    }
  }

  bool inside(const Node& node, int level, bool halved) const {
    return node.x + (1u << (level - halved)) <= columns_ && node.y + (1u << level) <= rows_;
  }

  // Puts a square with something in it on the list, unless it holds a single Gaussian: then all
  // that remains to be known is noise.
  void keep(const Node& node, int level, bool halved) {
    if (node.count == 0) return;
    if (node.count == 1 && inside(node, level, halved)) {
      place(node.begin, node.x, node.y, level - halved, level);
    } else {
      nodes_.push_back(node);
    }
  }

  void split_nodes(int level, bool halved) {
    typename Coder::Run run(coder_);
    for (const Node& node : parents_) split_node(run, node, level, halved);
  }

  // A whole square falls into a left and a right half, and a half into an upper and a lower square.
  void split_node(typename Coder::Run& run, const Node& node, int level, bool halved) {
    Node first = node, second = node;
    const uint32_t half = 1u << (level - 1);
    const uint32_t middle = (halved ? node.y : node.x) + half;
    if (middle < (halved ? rows_ : columns_)) {
      uint32_t below = 0;
      if constexpr (!Coder::decodes) {
        while (below < node.count &&
               static_cast<uint32_t>(cells_[2 * (node.begin + below) + halved]) < middle) {
          ++below;
        }
      }
      first.count = code_split(run, below, node.count, !inside(node, level, halved));
    }
    (halved ? second.y : second.x) = middle;
    second.begin += first.count;
    second.count -= first.count;
    keep(first, level - halved, !halved);
    keep(second, level - halved, !halved);
  }

  uint32_t code_split(typename Coder::Run& run, uint32_t first, uint32_t n, bool border) {
    const int set = split + 15 * border;
    if (n <= 14) return run.code(models_[set + static_cast<int>(n) - 1], first);
    // Which sixteenth of 0 … n, then where in it.
    const auto bound = [n](uint32_t i) {
      return static_cast<uint32_t>((uint64_t{i} * (n + 1) + 15) / 16);
    };
    uint32_t part = static_cast<uint32_t>(uint64_t{first} * 16 / (n + 1));
    part = run.code(models_[set + 14], part);
    const uint32_t low = bound(part);
    return low + code_uniform(run, first - low, bound(part + 1) - low);
  }

  Coder& coder_;
  LayerModels& models_;
  uint32_t columns_ = 0, rows_ = 0;
  int32_t* cells_ = nullptr;
  OpenBits* open_here_ = nullptr;
  std::vector<OpenBits>& open_;
  std::vector<Node>&nodes_, &parents_;
};

}  // namespace gi::GI_ISA
