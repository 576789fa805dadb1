#include "fit/coarse_grids.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/flush_denormals.h"
#include "base/grow.h"
#include "base/parallel_blocks.h"
#include "base/pool.h"
#include "simd/dispatch.h"

namespace gi {
namespace {

void clear(AlignedVector<float>& values, int threads) {
  parallel_blocks(values.size(), size_t{1} << 20, threads, [&](size_t begin, size_t end) {
    std::fill(values.data() + begin, values.data() + end, 0.0f);
  });
}

// The smaller standard deviation from which on a grid draws a Gaussian, in pixels.
constexpr double least_sigma[] = {4, 8};

// Where large Gaussians are cut.
constexpr double coarse_q_max = 5.5;

// The variance by which subdivision from each grid blurs, in pixels squared along each axis: that
// of (1, 4, 6, 4, 1) / 16 is 1, and 4 with samples twice as far apart.
constexpr double blur[] = {1, 5};

// The first row and column of each grid: early enough for the subdivision of the first pixel, and
// even, so that the strips of a grid begin on samples of the next one.
constexpr double first_sample = -2;

}  // namespace

CoarseGrids::CoarseGrids(int height, int width, int channels, int threads)
    : channels_(channels), threads_(threads) {
  int offset = 1;
  for (Grid& grid : grids_) {
    grid.offset = offset;
    grid.fine_pairs = (height + 1) / 2;
    grid.fine_strips = count_strips(width);
    grid.height = height = grid.fine_pairs + 2 + offset;
    grid.width = width = 4 * grid.fine_strips + 2 + offset;
    offset = 0;
  }
}

Source CoarseGrids::source(const Grid& grid) const {
  return {grid.set.means.data(),
          grid.set.cholesky.data(),
          grid.set.colors.data(),
          static_cast<int>(grid.set.numbers.size()),
          channels_,
          coarse_q_max};
}

Source CoarseGrids::fine() const {
  return {fine_.means.data(),  fine_.cholesky.data(),
          fine_.colors.data(), static_cast<int>(fine_.numbers.size()),
          channels_,           fine_q_max_};
}

void CoarseGrids::allocate_pictures() {
  for (Grid& grid : grids_) {
    if (!grid.picture.empty()) continue;
    const size_t strip = grid.strip_floats(channels_);
    // Ctrl-C leaves either both or none.
    auto picture =
        make_zeros<AlignedVector<float>>(static_cast<size_t>(count_strips(grid.width)) * strip);
    auto sums = make_zeros<AlignedVector<float>>(static_cast<size_t>(grid.fine_strips) * strip);
    grid.picture = std::move(picture);
    grid.sums = std::move(sums);
  }
}

void CoarseGrids::free_pictures() {
  for (Grid& grid : grids_) {
    grid.picture = {};
    grid.sums = {};
  }
}

void CoarseGrids::reserve(size_t gaussians) {
  // Nearly all of them are drawn at every pixel.
  places_.reserve(gaussians);
  fine_.numbers.reserve(gaussians);
  fine_.means.reserve(2 * gaussians);
  fine_.cholesky.reserve(3 * gaussians);
  fine_.colors.reserve(gaussians * static_cast<size_t>(channels_));
}

void CoarseGrids::assign(const Source& source) {
  fine_q_max_ = source.q_max;
  const auto clear = [](Set& set) {
    set.numbers.clear();
    set.means.clear();
    set.cholesky.clear();
    set.colors.clear();
  };
  for (Grid& grid : grids_) {
    clear(grid.set);
    grid.frames.clear();
  }
  resize_anew(places_, static_cast<size_t>(source.count));
  clear(fine_);
  for (uint32_t i = 0; i < static_cast<uint32_t>(source.count); ++i) {
    const double* mean = source.means + 2 * i;
    const double* l = source.cholesky + 3 * i;
    const double a = l[0] * l[0], b = l[0] * l[1], d = l[1] * l[1] + l[2] * l[2];
    int level = 0;
    if (is_drawable(mean[0], mean[1], l, source.colors + ptrdiff_t{channels_} * i, channels_)) {
      // Both standard deviations are at least sigma if the covariance less sigma² is not negative.
      for (const double sigma : least_sigma) {
        const double variance = sigma * sigma;
        level += a >= variance && (a - variance) * (d - variance) >= b * b;
      }
    }
    add(level, source, i);
  }
  for (Grid& grid : grids_) {
    grid.binning.prepare(this->source(grid), {first_sample, first_sample, grid.height, grid.width},
                         threads_);
  }
}

void CoarseGrids::add(int level, const Source& source, uint32_t i) {
  const double* mean = source.means + 2 * i;
  const double* l = source.cholesky + 3 * i;
  const float* color = source.colors + ptrdiff_t{channels_} * i;
  Set& set = level == 0 ? fine_ : grids_[level - 1].set;
  places_[i] = {static_cast<uint8_t>(level), static_cast<uint32_t>(set.numbers.size())};
  set.numbers.push_back(i);
  if (level == 0) {
    set.means.insert(set.means.end(), mean, mean + 2);
    set.cholesky.insert(set.cholesky.end(), l, l + 3);
    set.colors.insert(set.colors.end(), color, color + channels_);
    return;
  }
  const double variance = blur[level - 1], scale = 1.0 / (1 << level);
  const double b11 = std::sqrt(l[0] * l[0] - variance), b21 = l[0] * l[1] / b11;
  const double b22 = std::sqrt(l[1] * l[1] + l[2] * l[2] - variance - b21 * b21);
  const double gain = (l[0] * l[2]) / (b11 * b22);
  const double a11 = l[0] / b11, a22 = l[2] / b22;
  grids_[level - 1].frames.push_back(
      {a11, (l[1] - b21 * a11) / b22, a22, l[0], l[2], b11 * scale, b22 * scale, gain});
  for (int k = 0; k < 2; ++k) set.means.push_back((mean[k] - 0.5) * scale + 0.5);
  for (const double entry : {b11, b21, b22}) set.cholesky.push_back(entry * scale);
  for (int k = 0; k < channels_; ++k) set.colors.push_back(static_cast<float>(gain * color[k]));
}

void CoarseGrids::draw() {
  if (empty()) return;
  allocate_pictures();
  if (grids_[1].set.numbers.empty()) {
    clear(grids_[0].picture, threads_);
  } else {
    clear(grids_[1].picture, threads_);
    draw(grids_[1]);
    Grid& grid = grids_[0];
    parallel_blocks(
        static_cast<size_t>(count_strips(grid.width)), 2, threads_, [&](size_t begin, size_t end) {
          for (size_t strip = begin; strip < end; ++strip) {
            subdivide(grids_[1], static_cast<int>(strip), 0, (grid.height + 1) / 2, nullptr,
                      grid.picture.data() + strip * grid.strip_floats(channels_));
          }
        });
  }
  draw(grids_[0]);
}

// Adds a grid's Gaussians to its picture.
void CoarseGrids::draw(Grid& grid) {
  const Kernels& k = kernels();
  Binning& binning = grid.binning;
  for (int group = 0; group < binning.groups(); ++group) {
    binning.bin(group);
    parallel(binning.strips(), threads_, [&](int i) {
      FlushDenormals flush;
      const auto add = [&](const Binning::Cell& cell, const CellSpan* spans, size_t count, bool,
                           bool) {
        k.accumulate(binning.prepared(), spans, count, channels_, binning.weight_min(),
                     grid.picture.data() + cell.offset, nullptr);
      };
      binning.for_each_cell(binning.first_strip() + i, add);
    });
  }
}

// Sets row pairs of a strip of the finer picture, from row y on, to what is drawn on a grid, less
// `subtracted`.
void CoarseGrids::subdivide(const Grid& grid, int strip, int y, int pairs, const float* subtracted,
                            float* p) const {
  const size_t floats = grid.strip_floats(channels_);
  const float* const left = grid.picture.data() + static_cast<size_t>(strip / 2) * floats;
  kernels().subdivide_cell(left, strip % 2 ? left + floats : nullptr, grid.offset,
                           y / 2 + grid.offset, channels_, pairs, subtracted, p);
}

void CoarseGrids::restrict_cell(Grid& grid, int strip, int y, int pairs, const float* p) {
  kernels().restrict_cell(
      p, grid.offset, y / 2 + grid.offset, channels_, pairs, y == 0,
      grid.sums.data() + static_cast<size_t>(strip) * grid.strip_floats(channels_));
}

void CoarseGrids::start(const Binning::Cell& cell, const float* subtracted, float* p) const {
  subdivide(grids_[0], cell.x / cell_width, cell.y, (cell.rows + 1) / 2, subtracted, p);
}

void CoarseGrids::take(const Binning::Cell& cell, const float* p) {
  if (empty()) return;
  restrict_cell(grids_[0], cell.x / cell_width, cell.y, (cell.rows + 1) / 2, p);
}

// Replaces a grid's picture by the residual, from the sums of the finer picture's strips.
void CoarseGrids::join_sums(Grid& grid) {
  const size_t floats = grid.strip_floats(channels_);
  const auto sums = [&](size_t strip) {
    return strip < static_cast<size_t>(grid.fine_strips) ? grid.sums.data() + strip * floats
                                                         : nullptr;
  };
  parallel_blocks(static_cast<size_t>(count_strips(grid.width)), 2, threads_,
                  [&](size_t begin, size_t end) {
                    const std::vector<float> zeros(floats);
                    for (size_t strip = begin; strip < end; ++strip) {
                      const float* even = sums(2 * strip);
                      kernels().join_sums(strip > 0 ? sums(2 * strip - 1) : nullptr,
                                          even ? even : zeros.data(), sums(2 * strip + 1),
                                          floats / 8, grid.picture.data() + strip * floats);
                    }
                  });
}

void CoarseGrids::bring_residual_down() {
  join_sums(grids_[0]);
  if (grids_[1].set.numbers.empty()) return;
  const Grid& grid = grids_[0];
  parallel_blocks(static_cast<size_t>(grids_[1].fine_strips), 2, threads_,
                  [&](size_t begin, size_t end) {
                    for (size_t strip = begin; strip < end; ++strip) {
                      restrict_cell(grids_[1], static_cast<int>(strip), 0, grids_[1].fine_pairs,
                                    grid.picture.data() + strip * grid.strip_floats(channels_));
                    }
                  });
  join_sums(grids_[1]);
}

void CoarseGrids::sum_moments(Grid& grid, int group) {
  Binning& binning = grid.binning;
  binning.bin(group);
  clear_moments(binning, threads_, grid.moments);
  parallel(binning.strips(), threads_, [&](int i) {
    FlushDenormals flush;
    const int strip = binning.first_strip() + i;
    MomentSums sums(binning, strip, grid.moments.data());
    const auto nothing = [](const Binning::Cell&, const CellSpan*, size_t, bool, bool) {};
    const auto then = [&](const Binning::Cell& cell, const CellSpan* spans, size_t count) {
      sums.add(spans, count, channels_, grid.picture.data() + cell.offset, nullptr);
    };
    binning.for_each_cell(strip, nothing, then);
  });
}

// Let z = B⁻¹ d be the whitened coordinates of the Gaussian that the grid draws, and y = Aᵀ z with
// A = B⁻¹ L. The change μ += L m, L ← L (I + Δ) changes q by -m · y - yᵀ Δ y. It changes the
// color's factor √(det L Lᵀ / det B Bᵀ) in proportion, by tr Δ - tr(Aᵀ A Δ).
MomentTotals CoarseGrids::in_own_frame(const Grid& grid, size_t index,
                                       const MomentTotals& m) const {
  const Frame& f = grid.frames[index];
  const double i1 = 1 / f.b11, i2 = 1 / f.b22;
  const double z1 = m.g1 * i1, z2 = m.g2 * i2;
  const double z11 = m.g11 * i1 * i1, z12 = m.g12 * i1 * i2, z22 = m.g22 * i2 * i2;
  double energy = 0;
  for (int k = 0; k < channels_; ++k) {
    energy +=
        double{grid.set.colors[index * static_cast<size_t>(channels_) + static_cast<size_t>(k)]} *
        m.color[k];
  }
  const double y1 = f.a11 * z1 + f.a21 * z2, y2 = f.a22 * z2;
  const double y11 = f.a11 * f.a11 * z11 + 2 * f.a11 * f.a21 * z12 + f.a21 * f.a21 * z22 +
                     energy * (1 - f.a11 * f.a11 - f.a21 * f.a21);
  const double y12 = f.a22 * (f.a11 * z12 + f.a21 * z22) - energy * f.a21 * f.a22;
  const double y22 = f.a22 * f.a22 * z22 + energy * (1 - f.a22 * f.a22);
  MomentTotals own;
  own.g1 = y1 * f.l11;
  own.g2 = y2 * f.l22;
  own.g11 = y11 * f.l11 * f.l11;
  own.g12 = y12 * f.l11 * f.l22;
  own.g22 = y22 * f.l22 * f.l22;
  for (int k = 0; k < channels_; ++k) own.color[k] = f.gain * m.color[k];
  return own;
}

}  // namespace gi
