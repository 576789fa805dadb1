// Memory and sums that all passes over the cells of a picture need.
#pragma once

#include <cstdint>
#include <vector>

#include "base/parallel_blocks.h"
#include "render/binning.h"
#include "simd/dispatch.h"

namespace gi {

// At least `count` aligned values, which the calling thread keeps for its next call.
template <typename Value>
Value* thread_buffer(size_t count) {
  struct alignas(64) Line {
    Value values[64 / sizeof(Value)];
  };
  static thread_local std::vector<Line> lines;
  const size_t wanted = count * sizeof(Value) / sizeof(Line);
  if (lines.size() < wanted) lines.resize(wanted);
  return lines.data()->values;
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

// Sums the moments of a strip's spans by Gaussian, in the places that the binning has for them.
class MomentSums {
 public:
  MomentSums(const Binning& binning, int strip, Moments* places)
      : binning_(binning), strip_(strip), places_(places) {
    for (const uint32_t* g = binning.begin(strip); g != binning.end(strip); ++g) {
      places[binning.place(*g, strip)] = Moments{};
    }
  }

  void add(const CellSpan* spans, size_t count, int channels, const float* cell) {
    static thread_local std::vector<Moments> kept;
    std::vector<Moments>& found = kept;
    if (found.size() < count) found.resize(count);
    kernels().moments(binning_.prepared(), spans, count, channels, binning_.weight_min(), cell,
                      found.data());
    for (size_t i = 0; i < count; ++i) {
      const Moments& m = found[i];
      Moments& sum = places_[binning_.place(spans[i].gaussian, strip_)];
      sum.g1 += m.g1;
      sum.g2 += m.g2;
      sum.g11 += m.g11;
      sum.g12 += m.g12;
      sum.g22 += m.g22;
      for (int k = 0; k < channels; ++k) sum.color[k] += m.color[k];
    }
  }

 private:
  const Binning& binning_;
  const int strip_;
  Moments* const places_;
};

// Runs reduce(i, moments) for every Gaussian i with its moments of each strip of the current group.
template <typename Reduce>
void reduce_moments(const Binning& binning, const Moments* moments, int threads, Reduce&& reduce) {
  parallel_blocks(binning.gaussians(), 256, threads, [&](size_t begin, size_t end) {
    for (size_t i = begin; i < end; ++i) {
      for (size_t place = binning.first_place(i); place < binning.first_place(i + 1); ++place) {
        reduce(i, moments[place]);
      }
    }
  });
}

}  // namespace gi
