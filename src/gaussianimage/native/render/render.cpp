#include "render/render.h"

#include <algorithm>
#include <vector>

#include "base/flush_denormals.h"
#include "base/interrupt.h"
#include "base/pool.h"
#include "render/binning.h"
#include "render/cell_buffers.h"
#include "simd/dispatch.h"

namespace gi {
namespace {

// Memory that a thread keeps for its next call, unless it is large.
class KeptMemory {
 public:
  KeptMemory() : binning(memory().binning), moments(memory().moments) {}
  ~KeptMemory() {
    if (binning.gaussians() > most) memory() = Memory{};
  }
  KeptMemory(const KeptMemory&) = delete;
  KeptMemory& operator=(const KeptMemory&) = delete;

  // They belong to the calling thread; tasks on other threads use them too.
  Binning& binning;
  std::vector<Moments>& moments;

 private:
  struct Memory {
    Binning binning;
    std::vector<Moments> moments;
  };
  static constexpr size_t most = 200000;
  static Memory& memory() {
    thread_local Memory memory;
    return memory;
  }
};

// The spans of a cell that is drawn in floats although its Gaussians were prepared for 16 bits,
// with a float copy of the Gaussian for each span. The calling thread keeps the memory, so only one
// object may exist at a time.
struct FloatSpans {
  std::vector<PreparedGaussian>& prepared;
  std::vector<CellSpan>& spans;

  FloatSpans(const Binning& binning, const Source& source, const CellSpan* listed, size_t count)
      : prepared(memory().prepared), spans(memory().spans) {
    prepared.resize(std::max(prepared.size(), count));
    spans.assign(listed, listed + count);
    const auto channels = static_cast<size_t>(source.channels);
    for (size_t i = 0; i < count; ++i) {
      const PreparedGaussian16& from = binning.prepared16()[listed[i].gaussian];
      const int run = from.powers[0] == 0 ? 0 : max_run16;
      prepared[i] = {from.x2, from.u2, from.s, from.e1, from.e2, from.e4, run, {}};
      std::copy_n(source.colors + channels * listed[i].gaussian, channels, prepared[i].colors);
      spans[i].gaussian = static_cast<uint32_t>(i);
    }
  }

 private:
  struct Memory {
    std::vector<PreparedGaussian> prepared;
    std::vector<CellSpan> spans;
  };
  static Memory& memory() {
    static thread_local Memory memory;
    return memory;
  }
};

// Whether a Gaussian's weight is 1 in float in the whole window. q is convex, so it is largest in a
// corner.
bool is_flat(const double* mean, const double* cholesky, const Window& window) {
  constexpr double most = 0x1p-26;
  const double right = window.left + window.width, bottom = window.top + window.height;
  for (const double x : {window.left, right}) {
    for (const double y : {window.top, bottom}) {
      const double z1 = (x - mean[0]) / cholesky[0];
      const double z2 = (y - mean[1] - cholesky[1] * z1) / cholesky[2];
      if (!(0.5 * (z1 * z1 + z2 * z2) < most)) return false;
    }
  }
  return true;
}

// Adds the first Gaussians to the background as long as they are flat. Because they come first, the
// sums are the same to the bit. Returns their work on the whole window: the work that a file
// announces does not depend on how it is drawn.
uint64_t take_flat(Source& source, const Window& window, float* background) {
  const auto strips = static_cast<uint64_t>(count_strips(window.width));
  const int before = source.count;
  while (source.count > 0 &&
         is_drawable(source.means[0] - window.left, source.means[1] - window.top, source.cholesky,
                     source.colors, source.channels) &&
         is_flat(source.means, source.cholesky, window)) {
    for (int k = 0; k < source.channels; ++k) background[k] += source.colors[k];
    source.means += 2;
    source.cholesky += 3;
    source.colors += source.channels;
    --source.count;
  }
  const auto taken = static_cast<uint64_t>(before - source.count);
  const uint64_t per_strip = work_per_strip + static_cast<uint64_t>(window.height);
  return taken * (work_per_gaussian + strips * per_strip);
}

}  // namespace

bool render(Source source, const Window& window, const float* color, const Work& most, int threads,
            const PixelSink& sink) {
  threads = resolve_threads(threads);
  float background[max_channels];
  std::copy_n(color, source.channels, background);
  const uint64_t flat_work = take_flat(source, window, background);
  const KeptMemory kept;
  Binning& binning = kept.binning;
  binning.prepare(source, window, sink.part(), sink.takes_words(), threads);
  if (flat_work + binning.work() > most.whole || binning.part_work() > most.part) return false;
  const Kernels& k = kernels();
  for (int group = 0; group < binning.groups(); ++group) {
    binning.bin(group);
    // Neighboring strips share cache lines of the pixels, so a thread takes a range of strips.
    parallel_ranges(binning.strips(), threads, [&](int begin, int end) {
      FlushDenormals flush;
      const auto add = [&](const Binning::Cell& cell, const CellSpan* spans, size_t count,
                           bool first, bool last) {
        CellScale scale;
        if (first && last &&
            find_scale(binning.fixed(), spans, count, background, source.channels, scale)) {
          int16_t* const words = buffer16();
          k.fill16(scale, source.channels, cell.rows, words);
          k.accumulate16(binning.prepared16(), spans, count, source.channels, binning.fixed(),
                         scale, words);
          sink.write(k, cell, words, scale);
          return;
        }
        float* const p = float_buffer(binning.bands(), source.channels) +
                         cell_floats(source.channels) * static_cast<size_t>(cell.band);
        if (first) k.fill(background, source.channels, cell.rows, p);
        if (binning.fixed().least == 0) {
          k.accumulate(binning.prepared(), spans, count, source.channels, binning.weight_min(), p,
                       nullptr);
        } else {
          const FloatSpans floats(binning, source, spans, count);
          k.accumulate(floats.prepared.data(), floats.spans.data(), count, source.channels,
                       binning.weight_min(), p, nullptr);
        }
        if (last) sink.write(k, cell, p);
      };
      for (int i = begin; i < end; ++i) {
        binning.for_each_cell(binning.first_strip() + i, add);
      }
    });
  }
  return true;
}

Work work(const Source& source, const Window& window, const Part& part, int threads) {
  const KeptMemory kept;
  kept.binning.prepare(source, window, part, false, resolve_threads(threads));
  return {kept.binning.work(), kept.binning.part_work()};
}

void gradient(const Source& source, const Window& window, int threads, const float* residual,
              double* means, double* covariance, double* colors) {
  threads = resolve_threads(threads);
  const int channels = source.channels;
  const size_t n = static_cast<size_t>(source.count);
  std::fill_n(means, 2 * n, 0.0);
  std::fill_n(covariance, 3 * n, 0.0);
  std::fill_n(colors, static_cast<size_t>(channels) * n, 0.0);
  const KeptMemory kept;
  Binning& binning = kept.binning;
  std::vector<Moments>& moments = kept.moments;
  binning.prepare(source, window, threads);
  const ptrdiff_t stride = ptrdiff_t{window.width} * channels;
  for (int group = 0; group < binning.groups(); ++group) {
    binning.bin(group);
    clear_moments(binning, threads, moments);
    parallel(binning.strips(), threads, [&](int i) {
      FlushDenormals flush;
      const int strip = binning.first_strip() + i;
      float* const p = float_buffer(1, channels);
      MomentSums sums(binning, strip, moments.data());
      const auto nothing = [](const Binning::Cell&, const CellSpan*, size_t, bool, bool) {};
      binning.for_each_cell(strip, nothing,
                            [&](const Binning::Cell& cell, const CellSpan* spans, size_t count) {
                              from_floats(residual + cell.y * stride + cell.x * channels, stride,
                                          channels, cell.rows, cell.columns, p);
                              sums.add(spans, count, channels, p, nullptr);
                            });
    });
    // Sum the moments into the outputs; they become derivatives below.
    reduce_moments(binning, moments.data(), threads, [&](size_t i, const MomentTotals& m) {
      means[2 * i] += m.g1;
      means[2 * i + 1] += m.g2;
      covariance[3 * i] += m.g11;
      covariance[3 * i + 1] += m.g12;
      covariance[3 * i + 2] += m.g22;
      for (size_t j = 0; j < static_cast<size_t>(channels); ++j) {
        colors[i * static_cast<size_t>(channels) + j] += m.color[j];
      }
    });
  }
  // With z = L⁻¹ d: dq = -zᵀ L⁻¹ dμ - ½ zᵀ L⁻¹ dΣ L⁻ᵀ z, and the loss changes by -Σ g dq. The
  // kernel's moments are those of (dx, u), and z = (dx / l11, u / l22).
  for_many(n, [&](size_t i) {
    if (!binning.visible(i)) return;
    const double* l = source.cholesky + 3 * i;
    const double i1 = 1 / l[0], i2 = 1 / l[2], s = -l[1] / l[0];
    const double z1 = means[2 * i] * i1, z2 = means[2 * i + 1] * i2;
    const double z11 = covariance[3 * i] * i1 * i1, z12 = covariance[3 * i + 1] * i1 * i2;
    const double z22 = covariance[3 * i + 2] * i2 * i2;
    // L⁻¹ = [[i1, 0], [s i2, i2]].
    const double l21 = s * i2;
    means[2 * i] = z1 * i1 + z2 * l21;
    means[2 * i + 1] = z2 * i2;
    covariance[3 * i] = 0.5 * (z11 * i1 * i1 + 2 * z12 * i1 * l21 + z22 * l21 * l21);
    covariance[3 * i + 1] = z12 * i1 * i2 + z22 * l21 * i2;
    covariance[3 * i + 2] = 0.5 * z22 * i2 * i2;
  });
}

}  // namespace gi
