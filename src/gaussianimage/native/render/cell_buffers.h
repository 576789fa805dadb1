// What the passes over a picture's strips have in common.
#pragma once

#include <vector>

#include "render/binning.h"
#include "simd/dispatch.h"

namespace gi {

// Floats for `bands` cells, kept by the calling thread for its next call.
inline float* float_buffer(int bands, int channels) {
  struct alignas(64) Line {
    float floats[16];
  };
  static thread_local std::vector<Line> lines;
  const size_t count = static_cast<size_t>(bands) * cell_floats(channels) / 16;
  if (lines.size() < count) lines.resize(count);
  return lines.data()->floats;
}

// Words for one cell, likewise.
inline int16_t* buffer16() {
  struct alignas(64) Line {
    int16_t words[32];
  };
  static thread_local std::vector<Line> lines(cell_floats(max_channels) / 32);
  return lines.data()->words;
}

// Sums the moments of a strip's spans by Gaussian, in the places that the schedule has for them.
class MomentSums {
 public:
  MomentSums(const Binning& binning, int strip, Moments* places)
      : binning_(binning), strip_(strip), places_(places) {
    for (const uint32_t* gaussian = binning.begin(strip); gaussian != binning.end(strip);
         ++gaussian) {
      places[binning.place(*gaussian, strip)] = Moments{};
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

}  // namespace gi
