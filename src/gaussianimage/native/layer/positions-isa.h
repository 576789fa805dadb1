// Codes positions as a set: the first stream of a layer.
#pragma once

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

#include "base/interrupt.h"
#include "entropy/rans-isa.h"
#include "layer/models-isa.h"

namespace gi::GI_ISA {

// Codes a value in 0 … limit - 1 in truncated binary: all values are equally probable.
template <typename Coder>
uint32_t code_uniform(Coder& coder, uint32_t value, uint32_t limit) {
  if (limit <= 1) return 0;
  const int bits = 32 - __builtin_clz(limit - 1);        // bits of the largest value
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

// The corner of the square that a Gaussian is in, and the number of low bits of its position that
// are not known yet.
struct Corner {
  uint32_t x, y;
  uint8_t open_x, open_y;
};

// Memory that one PositionCoder leaves to the next.
struct PositionWorkspace {
  std::vector<Corner> corners;
  std::vector<PositionNode> nodes, parents;
};

// Codes the positions of a layer: for each precision class a set of cells, which is halved again
// and again; coded is the number of Gaussians in each first half.
//
// A set saves the log2 n! bits that the order of a list would cost: the decoder returns the
// Gaussians in the order of a Z-shaped curve. All squares of one size are split before the next
// smaller ones, so a split does not wait for the one before it. An encoder gets the positions in
// the order of the curve.
template <typename Coder>
class PositionCoder {
 public:
  PositionCoder(Coder& coder, LayerModels& models, PositionWorkspace& workspace)
      : coder_(coder),
        models_(models),
        corners_(workspace.corners),
        nodes_(workspace.nodes),
        parents_(workspace.parents) {
    corners_.clear();
    corners_.emplace_back();
  }

  // Codes the counts of a precision class of `count` Gaussians, whose positions are at `cells`.
  void splits(int64_t columns, int64_t rows, uint32_t count, int32_t* cells) {
    columns_ = static_cast<uint32_t>(columns);
    rows_ = static_cast<uint32_t>(rows);
    cells_ = cells;
    // One more than needed: `keep` writes corners of empty squares there.
    const size_t before = corners_.size() - 1;
    corners_.resize(before + count + 1);
    corners_here_ = corners_.data() + before;
    count_ = count;
    nodes_.resize(count + 1);
    parents_.resize(count + 1);
    int level = 0;
    while ((uint32_t{1} << level) < std::max(columns_, rows_)) ++level;
    Node* end = nodes_.data();
    keep(end, {0, 0, 0, count}, level, false);
    bool halved = false;
    while (level > 0 && end != nodes_.data()) {
      const ptrdiff_t parents = end - nodes_.data();
      std::swap(nodes_, parents_);
      end = split_nodes(parents_.data() + parents, level, halved);
      level -= halved;
      halved = !halved;
    }
    for (const Node* node = nodes_.data(); node != end; ++node) {
      for (uint32_t i = 0; i < node->count; ++i) {
        corners_here_[node->begin + i] = {node->x, node->y, 0, 0};
      }
    }
  }

  // Codes the low bits of positions that the splits of all classes do not determine; the layer's
  // positions are at `cells`.
  void places(int32_t* cells) {
    typename Coder::Loose bits(coder_);
    for_many(corners_.size() - 1, [&](size_t i) {
      const Corner& corner = corners_[i];
      const uint32_t x = static_cast<uint32_t>(cells[0]) - corner.x;
      const uint32_t y = static_cast<uint32_t>(cells[1]) - corner.y;
      const uint32_t found_x = bits.loose(x, corner.open_x);
      const uint32_t found_y = bits.loose(y, corner.open_y);
      if constexpr (Coder::decodes) {
        cells[0] = static_cast<int32_t>(corner.x + found_x);
        cells[1] = static_cast<int32_t>(corner.y + found_y);
      }
      cells += 2;
    });
  }

 private:
  using Node = PositionNode;

  bool inside(const Node& node, int level, bool halved) const {
    return (node.x + (1u << (level - halved)) <= columns_) & (node.y + (1u << level) <= rows_);
  }

  // Appends a square to the list unless it is empty or holds a single Gaussian, whose remaining
  // bits are noise. Square and corner are written in all cases, because a branch would be
  // unpredictable: the first Gaussian of a square that is split again gets a better corner later.
  void keep(Node*& end, const Node& node, int level, bool halved) {
    const bool empty = node.count == 0;
    const bool found = (node.count == 1) & inside(node, level, halved);
    corners_here_[empty ? count_ : node.begin] = {
        node.x, node.y, static_cast<uint8_t>(level - halved), static_cast<uint8_t>(level)};
    *end = node;
    end += !(empty | found);
  }

  // Splits the squares in [parents_, end), and returns the end of the resulting squares.
  Node* split_nodes(const Node* end, int level, bool halved) {
    typename Coder::Run run(coder_);
    Node* next = nodes_.data();
    const Node* const nodes = parents_.data();
    for_many(static_cast<size_t>(end - nodes),
             [&](size_t i) { split_node(run, next, nodes[i], level, halved); });
    return next;
  }

  // Splits a square into a left and a right half, or a half into an upper and a lower square.
  void split_node(typename Coder::Run& run, Node*& next, const Node& node, int level, bool halved) {
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
    keep(next, first, level - halved, !halved);
    keep(next, second, level - halved, !halved);
  }

  uint32_t code_split(typename Coder::Run& run, uint32_t first, uint32_t n, bool border) {
    const int set = split + 15 * border;
    if (n <= 14) return run.code(models_[set + static_cast<int>(n) - 1], first);
    // Code the sixteenth of 0 … n, then the place in it.
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
  uint32_t count_ = 0;
  Corner* corners_here_ = nullptr;  // those of the current class

  std::vector<Corner>& corners_;
  std::vector<Node>&nodes_, &parents_;
};

}  // namespace gi::GI_ISA
