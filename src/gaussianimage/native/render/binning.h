// Which Gaussians touch which cells of the picture: the work list of every pass over the pixels.
//
// Only the Gaussians of each strip are listed for good, by a counting sort. Which rows of the strip
// a Gaussian touches is found when the strip is drawn, and goes into lists small enough for the
// cache, so the large lists hold four bytes per Gaussian and strip and nothing else.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <vector>

#include "base/interrupt.h"
#include "render/fixed_point.h"
#include "render/gaussians.h"

namespace gi {

class StripLists;

class Binning {
 public:
  // Prepares the Gaussians for the window and decides how many groups of strips they need, so
  // that the lists of one group stay below a fixed size whatever the Gaussians are.
  void prepare(const Source& source, const Window& window, int threads);

  // The same for the cells that a part of the window touches: only those are listed and visited,
  // with the same spans as if all were.
  // `use16`: for sums in 16 bits, if fixed() says that the cut allows them.
  void prepare(const Source& source, const Window& window, const Part& part, bool use16,
               int threads);

  // A bound on the cost of drawing, see `work_of_gaussian`: of all of the window, and of the part.
  uint64_t work() const { return work_; }
  uint64_t part_work() const { return part_work_; }

  // Number of groups: 1 unless very many Gaussians cover very many strips.
  int groups() const { return static_cast<int>(group_strips_.size()) - 1; }

  // Makes the lists of one group; replaces those of the group before.
  void bin(int group);

  // Strips [first_strip(), first_strip() + strips()) are in the current group.
  int first_strip() const { return group_begin_; }
  int strips() const { return group_end_ - group_begin_; }
  int bands() const { return bands_; }

  struct Cell {
    int x, y;           // first pixel, in the window
    int columns, rows;  // 1…8 and 1…256
    size_t offset;      // of its floats in a picture kept in cells
    int band;
  };
  Cell cell(int strip, int band) const;

  // Floats in a picture of the window's size kept in cells.
  size_t picture_floats() const;

  // Runs add(cell, spans, count, first, last) for the cells of a strip, as often as it takes to
  // pass all their spans, see CellLists for their order; `first` and `last` tell whether more of
  // the same cell came before or will come. Then runs then(cell, spans, count) for all of them
  // again. Mostly a cell's spans come all at once, and `then` right behind `add`.
  template <typename Add, typename Then>
  void for_each_cell(int strip, Add&& add, Then&& then) const;

  // Runs `add` alone.
  template <typename Add>
  void for_each_cell(int strip, Add&& add) const {
    for_each_cell(strip, add, [](const Cell&, const CellSpan*, size_t) {});
  }

  size_t gaussians() const { return footprints_.size(); }
  // Prepared for sums in floats, or, if these were asked for and fixed().least is not 0, in words.
  const PreparedGaussian* prepared() const { return prepared_.data(); }
  const PreparedGaussian16* prepared16() const { return prepared16_.data(); }
  // Whether a Gaussian can be drawn and may touch the window.
  bool visible(size_t i) const { return footprints_[i].strip0 < footprints_[i].strip1; }
  float weight_min() const { return weight_min_; }
  const FixedPoint& fixed() const { return fixed_; }

  // Places for what is found out of each Gaussian in each of the group's strips: those of Gaussian
  // i are [first_place(i), first_place(i + 1)), strip by strip.
  size_t places() const { return places_.back(); }
  size_t first_place(size_t i) const { return places_[i]; }
  size_t place(uint32_t gaussian, int strip) const {
    return places_[gaussian] +
           static_cast<size_t>(strip - std::max(footprints_[gaussian].strip0, group_begin_));
  }
  // The Gaussians of a strip, in their order.
  const uint32_t* begin(int strip) const { return members_.data() + strip_start(strip); }
  const uint32_t* end(int strip) const { return members_.data() + strip_start(strip + 1); }

 private:
  // A share of the Gaussians.
  struct Chunk {
    int begin, end;
    uint64_t work, part_work;     // their shares of work() and part_work()
    std::vector<int32_t> change;  // by strip: how many more touch it than the strip before
    int32_t here;                 // how many touch the strip that was entered last
    uint32_t members;             // their places in the group
    std::vector<uint32_t> next;   // by strip of the group: where in members_ to write next

    // How many touch the strip; strips have to be entered one after the other.
    uint32_t enter(int strip) {
      here += change[static_cast<size_t>(strip)];
      return static_cast<uint32_t>(here);
    }
  };

  // Lists Gaussians of a strip from `at` on, as far as they fit. Returns where it stops.
  const uint32_t* list_spans(int strip, const uint32_t* at, StripLists& lists) const;
  void keep_what_touches(Footprint& footprint) const;
  void find_groups();
  size_t strip_start(int strip) const { return starts_[static_cast<size_t>(strip - group_begin_)]; }

  Window window_{};
  int channels_ = 0;
  int threads_ = 1;
  int first_strip_ = 0, last_strip_ = 0;  // of the part: [first, last)
  int bands_ = 0;
  int first_band_ = 0, last_band_ = 0;
  float weight_min_ = 0;
  FixedPoint fixed_;
  uint64_t work_ = 0, part_work_ = 0;
  int group_begin_ = 0, group_end_ = 0;
  std::vector<int> group_strips_;
  std::vector<PreparedGaussian> prepared_;
  std::vector<PreparedGaussian16> prepared16_;
  std::vector<Footprint> footprints_;
  std::vector<Chunk> chunks_;
  std::vector<uint32_t> members_;  // the Gaussians of the group's strips, strip by strip
  std::vector<uint32_t> starts_;   // of each strip in members_
  std::vector<uint32_t> places_;
};

// The spans of a strip's cells, as far as they fit.
class StripLists {
 public:
  // Lists for `bands` cells, kept by the calling thread for its next call. Empty.
  static StripLists& of_this_thread(int bands);

  CellLists* cells() { return cells_.data(); }
  void clear(int bands);

  // The spans of a cell, list by list. Valid until the next call.
  const CellSpan* all(int band);
  size_t count(int band) const { return cells_[static_cast<size_t>(band)].count; }

 private:
  void allocate(size_t bands, size_t room);

  std::vector<CellLists> cells_;
  size_t room_ = 0;
  std::unique_ptr<CellSpan[]> memory_;
  CellSpan* all_ = nullptr;  // one cell's
};

template <typename Add, typename Then>
void Binning::for_each_cell(int strip, Add&& add, Then&& then) const {
  StripLists& lists = StripLists::of_this_thread(bands_);
  const uint32_t* const end = this->end(strip);
  bool whole = true;
  for (const uint32_t* at = begin(strip);;) {
    const bool first = at == begin(strip);
    at = list_spans(strip, at, lists);
    const bool last = at == end;
    whole = first && last;
    for (int band = first_band_; band < last_band_; ++band) {
      check_interrupt();
      const Cell cell = this->cell(strip, band);
      const CellSpan* const spans = lists.all(band);
      add(cell, spans, lists.count(band), first, last);
      if (whole) then(cell, spans, lists.count(band));
    }
    lists.clear(bands_);
    if (last) break;
  }
  if (whole) return;
  for (const uint32_t* at = begin(strip); at != end;) {
    at = list_spans(strip, at, lists);
    for (int band = first_band_; band < last_band_; ++band) {
      check_interrupt();
      then(cell(strip, band), lists.all(band), lists.count(band));
    }
    lists.clear(bands_);
  }
}

}  // namespace gi
