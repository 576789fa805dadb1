// Memory and sums that all passes over the cells of a picture need.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "base/aligned_vector.h"
#include "base/grow.h"
#include "base/parallel_blocks.h"
#include "render/binning.h"
#include "simd/dispatch.h"

namespace gi {

// At least `count` aligned values, which the calling thread keeps for its next call.
template <typename Value>
Value* thread_buffer(size_t count) {
  static thread_local AlignedVector<Value> values;
  if (values.size() < count) values.resize(count);
  return values.data();
}

// Floats for `bands` cells.
inline float* float_buffer(int bands, int channels) {
  return thread_buffer<float>(static_cast<size_t>(bands) * cell_floats(channels));
}

// 16-bit sums for one cell of any number of channels, and for some rows below it.
inline int16_t* buffer16() {
  constexpr size_t below = 4 * cell_width * max_channels;
  return thread_buffer<int16_t>(cell_floats(max_channels) + below);
}

// Makes room for the moments of the current group's Gaussians in each of their strips, all zero.
inline void clear_moments(const Binning& binning, int threads, std::vector<Moments>& places) {
  resize_anew(places, binning.places());
  parallel_blocks(places.size(), 4096, threads, [&](size_t begin, size_t end) {
    std::fill(places.begin() + static_cast<ptrdiff_t>(begin),
              places.begin() + static_cast<ptrdiff_t>(end), Moments{});
  });
}

// Adds the moments of a strip's spans to those of their Gaussians in the strip.
class MomentSums {
 public:
  MomentSums(const Binning& binning, int strip, Moments* places)
      : binning_(binning), strip_(strip), places_(places) {}

  // `kept`: what `accumulate` left for these spans, or null.
  void add(const CellSpan* spans, size_t count, int channels, const float* cell,
           const ChainStart* kept) {
    kernels().moments(binning_.prepared(), spans, count, channels, binning_.weight_min(), cell,
                      kept, binning_.bases(), strip_, places_);
  }

 private:
  const Binning& binning_;
  const int strip_;
  Moments* const places_;
};

// The sums of a Gaussian's moments over strips.
struct MomentTotals {
  double g1 = 0, g2 = 0, g11 = 0, g12 = 0, g22 = 0;
  double color[max_channels] = {};
};

// Runs reduce(i, totals) for every Gaussian i with the sums of its moments over the strips of the
// current group. If there are several groups, it runs once for each strip, so that what is added up
// has the same bits for every number of groups.
template <typename Reduce>
void reduce_moments(const Binning& binning, const Moments* moments, int threads, Reduce&& reduce) {
  const bool strip_by_strip = binning.groups() > 1;
  parallel_blocks(binning.gaussians(), 256, threads, [&](size_t begin, size_t end) {
    for (size_t i = begin; i < end; ++i) {
      MomentTotals totals;
      for (size_t place = binning.first_place(i); place < binning.first_place(i + 1); ++place) {
        const Moments& m = moments[place];
        totals.g1 += m.g1;
        totals.g2 += m.g2;
        totals.g11 += m.g11;
        totals.g12 += m.g12;
        totals.g22 += m.g22;
        for (int k = 0; k < max_channels; ++k) totals.color[k] += m.color[k];
        if (strip_by_strip) {
          reduce(i, totals);
          totals = {};
        }
      }
      if (!strip_by_strip) reduce(i, totals);
    }
  });
}

}  // namespace gi
