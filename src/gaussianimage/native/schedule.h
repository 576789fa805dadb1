// Which Gaussians touch which cells of the picture: the work list of every pass over the pixels.
#pragma once

#include <cstdint>
#include <vector>

#include "kernels.h"

namespace gi {

class Schedule {
 public:
  // Prepares the Gaussians for the window and decides how many groups of strips they need, so
  // that the lists of one group stay below a fixed size whatever the Gaussians are.
  void prepare(const Source& source, const Window& window, int threads);

  // A bound on the cost of drawing: for each Gaussian the strips times the rows of its bounding box
  // within the window, summed.
  uint64_t work() const { return work_; }

  // Number of groups: 1 unless very many Gaussians cover very many cells.
  int groups() const { return static_cast<int>(group_strips_.size()) - 1; }

  // Makes the lists of one group; replaces those of the group before.
  void bin(int group);

  // The cells of the current group, by index.
  int cells() const { return cell_count_; }
  struct Cell {
    int x, y;           // first pixel, in the window
    int columns, rows;  // 1…8 and 1…256
    size_t offset;      // of its floats in a picture kept in cells
    uint32_t begin, end;
  };
  Cell cell(int index) const;

  // Floats in a picture of the window's size kept in cells.
  size_t picture_floats() const;

  const Entry* entries() const { return entries_.data(); }
  size_t entry_count() const { return entries_.size(); }
  std::vector<Atom>& atoms() { return atoms_; }
  // Whether a Gaussian can be drawn and may touch the window.
  bool visible(size_t i) const { return atoms_[i].strip0 < atoms_[i].strip1; }
  float weight_min() const { return weight_min_; }

  // Runs visit(atom, entry index) over the entries of the current group, each Gaussian's entries
  // together and Gaussians of one chunk in order; chunks may run at the same time.
  template <typename Visit>
  void visit_chunk(int chunk, Visit&& visit) const {
    const Chunk& c = chunks_[static_cast<size_t>(chunk)];
    for (size_t i = 0; i < c.placed.size(); ++i) visit(c.placed[i].entry.atom, c.slots[i]);
  }
  int chunks() const { return static_cast<int>(chunks_.size()); }

 private:
  struct Placed {
    uint32_t cell;
    Entry entry;
  };
  struct Chunk {
    int begin, end;                // Gaussians
    uint64_t most, work;           // entries at most; share of work()
    std::vector<Placed> placed;    // their entries, Gaussian by Gaussian
    std::vector<uint32_t> counts;  // per cell, then where to write next
    std::vector<uint32_t> slots;   // where each of `placed` went
    std::vector<Span> spans;
  };

  void find_groups(uint64_t most);
  void place(Chunk& chunk, int strip_begin, int strip_end) const;

  Window window_{};
  int channels_ = 0;
  int threads_ = 1;
  int strips_ = 0;
  int bands_ = 0;
  float weight_min_ = 0;
  uint64_t work_ = 0;
  int group_begin_ = 0;
  int cell_count_ = 0;
  std::vector<int> group_strips_;
  std::vector<Atom> atoms_;
  std::vector<Chunk> chunks_;
  std::vector<Entry> entries_;
  std::vector<uint32_t> cell_start_;
};

}  // namespace gi
