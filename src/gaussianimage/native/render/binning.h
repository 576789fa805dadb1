// Finds out which Gaussians touch which cells of the picture: the work list of every pass over the
// pixels.
//
// A counting sort lists the Gaussians of each strip. The rows of the strip that a Gaussian touches
// are computed when the strip is drawn, into lists small enough for the cache. So the large lists
// hold only four bytes per Gaussian and strip.
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
  // Makes room for a number of Gaussians, so that `prepare` needs no more for them.
  void reserve(size_t gaussians);

  // Prepares the Gaussians for the window and divides the strips into groups, so that the lists of
  // a group stay below a fixed size for all Gaussians.
  void prepare(const Source& source, const Window& window, int threads);

  // Prepares them for the cells that a part of the window touches. Only these cells are listed and
  // passed to for_each_cell, with the same spans as for the whole window. `use16`: prepares for
  // sums in 16 bits, if fixed() says that the cut allows them.
  void prepare(const Source& source, const Window& window, const Part& part, bool use16,
               int threads);

  // Bounds on the work of drawing the whole window, and the part; see `work_per_gaussian`.
  uint64_t work() const { return work_; }
  uint64_t part_work() const { return part_work_; }

  // The number of groups: 1 unless very many Gaussians cover very many strips.
  int groups() const { return static_cast<int>(group_strips_.size()) - 1; }

  // Makes the lists of a group, which replace those of the previous group.
  void bin(int group);

  // Strips [first_strip(), first_strip() + strips()) are in the current group.
  int first_strip() const { return group_begin_; }
  int strips() const { return group_end_ - group_begin_; }
  int bands() const { return bands_; }

  struct Cell {
    int x, y;           // first pixel, in the window
    int columns, rows;  // 1…8 and 1…256
    size_t offset;      // place of its floats in a picture that is stored in cells
    int band;
  };
  Cell cell(int strip, int band) const;

  // The number of floats of a picture of the window's size that is stored in cells.
  size_t picture_floats() const;

  // Runs add(cell, spans, count, first, last) for each cell of a strip, several times if the cell
  // has very many spans; CellLists defines their order. `first` and `last` say whether the call is
  // the first or the last for its cell. After that it runs then(cell, spans, count) with the same
  // spans. Usually a cell has one call of `add`, and `then` follows at once.
  template <typename Add, typename Then>
  void for_each_cell(int strip, Add&& add, Then&& then) const;

  // Runs only `add`.
  template <typename Add>
  void for_each_cell(int strip, Add&& add) const {
    for_each_cell(strip, add, [](const Cell&, const CellSpan*, size_t) {});
  }

  size_t gaussians() const { return footprints_.size(); }
  // The Gaussians prepared for sums in floats, or in 16 bits if `use16` was given and fixed().least
  // is not 0.
  const PreparedGaussian* prepared() const { return prepared_.data(); }
  const PreparedGaussian16* prepared16() const { return prepared16_.data(); }
  // Whether a Gaussian can be drawn and may touch the window.
  bool visible(size_t i) const { return footprints_[i].strip0 < footprints_[i].strip1; }
  float weight_min() const { return weight_min_; }
  const FixedPoint& fixed() const { return fixed_; }

  // Places for the results of each Gaussian in each of the group's strips. Gaussian i has the
  // places [first_place(i), first_place(i + 1)), strip by strip: that in a strip is
  // bases()[i] + strip.
  size_t places() const { return places_.back(); }
  size_t first_place(size_t i) const { return places_[i]; }
  const int32_t* bases() const { return bases_.data(); }
  // The Gaussians of a strip, in ascending order.
  const uint32_t* begin(int strip) const { return members_.data() + strip_start(strip); }
  const uint32_t* end(int strip) const { return members_.data() + strip_start(strip + 1); }

 private:
  // A range of the Gaussians, and how it fills the strips.
  struct Chunk {
    int begin, end;
    uint64_t work, part_work;  // the shares of work() and part_work()
    std::vector<int32_t>
        change;        // by strip: how many more Gaussians touch it than the previous strip
    int32_t here;      // how many Gaussians touch the strip that was entered last
    uint32_t members;  // their number of places in the group
    std::vector<uint32_t> next;  // by strip of the group: where in members_ to write next

    // Returns how many Gaussians touch the strip; strips must be entered in order.
    uint32_t enter(int strip) {
      here += change[static_cast<size_t>(strip)];
      return static_cast<uint32_t>(here);
    }
  };

  // Lists the spans of a strip's Gaussians from `at` on, as far as they fit. Returns where it
  // stops.
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
  std::vector<int32_t> bases_;  // what a strip's number is added to for the place in it
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
