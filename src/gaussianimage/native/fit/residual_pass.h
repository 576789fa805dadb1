// One pass over the cells of a picture: draws the Gaussians, turns the picture into residuals, and
// sums the moments of every Gaussian.
#pragma once

#include <cstddef>
#include <vector>

#include "base/flush_denormals.h"
#include "base/pool.h"
#include "render/binning.h"
#include "render/cell_buffers.h"
#include "simd/dispatch.h"

namespace gi {

// The spans of a cell.
struct Spans {
  const CellSpan* begin;
  size_t count;
};

// The memory of a pass, kept from one to the next.
struct PassMemory {
  std::vector<Moments> moments;
  std::vector<double> losses;  // by strip
};

// Runs, for each cell of the prepared picture: start(cell, p) sets the cell's floats p, then the
// spans that choose(cell, spans) returns are added, finish(cell, p) makes residuals of them and
// returns the cell's loss. Runs reduce(i, totals) for each Gaussian with its moments; see
// reduce_moments. Returns the sum of the losses, which has the same bits for every number
// of threads.
template <typename Start, typename Choose, typename Finish, typename Reduce>
double residual_pass(Binning& binning, int channels, int threads, PassMemory& memory, Start&& start,
                     Choose&& choose, Finish&& finish, Reduce&& reduce) {
  const Kernels& k = kernels();
  double loss = 0;
  for (int group = 0; group < binning.groups(); ++group) {
    binning.bin(group);
    clear_moments(binning, threads, memory.moments);
    memory.losses.assign(static_cast<size_t>(binning.strips()), 0.0);
    parallel(binning.strips(), threads, [&](int i) {
      FlushDenormals flush;
      const int strip = binning.first_strip() + i;
      float* const buffer = float_buffer(binning.bands(), channels);
      const auto floats = [&](const Binning::Cell& cell) {
        return buffer + cell_floats(channels) * static_cast<size_t>(cell.band);
      };
      // Where chains begin is kept for the moments, if these follow at once.
      ChainStart* kept = nullptr;
      MomentSums sums(binning, strip, memory.moments.data());
      const auto add = [&](const Binning::Cell& cell, const CellSpan* spans, size_t count,
                           bool first, bool last) {
        float* const p = floats(cell);
        if (first) start(cell, p);
        const Spans chosen = choose(cell, Spans{spans, count});
        kept = first && last ? thread_buffer<ChainStart>(chosen.count) : nullptr;
        k.accumulate(binning.prepared(), chosen.begin, chosen.count, channels, binning.weight_min(),
                     p, kept);
        if (last) memory.losses[static_cast<size_t>(i)] += finish(cell, p);
      };
      const auto then = [&](const Binning::Cell& cell, const CellSpan* spans, size_t count) {
        const Spans chosen = choose(cell, Spans{spans, count});
        sums.add(chosen.begin, chosen.count, channels, floats(cell), kept);
      };
      binning.for_each_cell(strip, add, then);
    });
    for (const double strip_loss : memory.losses) loss += strip_loss;
    reduce_moments(binning, memory.moments.data(), threads, reduce);
  }
  return loss;
}

}  // namespace gi
