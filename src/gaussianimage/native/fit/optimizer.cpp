#include "fit/optimizer.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/flush_denormals.h"
#include "base/grow.h"
#include "base/interrupt.h"
#include "base/parallel_blocks.h"
#include "base/with_channels.h"
#include "render/cell_buffers.h"
#include "render/cell_layout.h"
#include "simd/dispatch.h"

namespace gi {
namespace {

// Standard deviations stay between a fraction of a pixel and many pictures.
constexpr double min_sigma = 0.2;
constexpr double max_sigma = 1e5;

// Removes the rows, of `width` values each, that are not kept.
template <typename T>
void compact(std::vector<T>& values, size_t width, const std::vector<uint8_t>& keep) {
  size_t to = 0;
  for (size_t i = 0; i < keep.size(); ++i) {
    if (!keep[i]) continue;
    std::copy_n(values.begin() + static_cast<ptrdiff_t>(i * width), width,
                values.begin() + static_cast<ptrdiff_t>(to * width));
    ++to;
  }
  values.resize(to * width);
}

}  // namespace

Optimizer::Optimizer(const float* target, int height, int width, int channels, double q_max,
                     int threads)
    : window_{0, 0, height, width},
      channels_(channels),
      q_max_(q_max),
      threads_(resolve_threads(threads)) {
  binning_.prepare(source(), window_, threads_);
  target_ = make_zeros<AlignedVector<float>>(binning_.picture_floats());
  put_in_cells(target, channels_, target_.data());
}

// Runs take(cell) for all cells. Several threads call it, each for other strips.
template <typename Take>
void Optimizer::for_each_cell(Take&& take) {
  prepare(source(), false);
  binning_.bin(0);
  parallel(binning_.strips(), threads_, [&](int strip) {
    for (int band = 0; band < binning_.bands(); ++band) take(binning_.cell(strip, band));
  });
}

void Optimizer::weigh(const float* weights, int root_channels) {
  const size_t c = static_cast<size_t>(channels_);
  auto roots =
      make_zeros<AlignedVector<float>>(target_.size() / c * static_cast<size_t>(root_channels));
  put_in_cells(weights, root_channels, roots.data());
  parallel_blocks(roots.size(), 16384, threads_, [&](size_t begin, size_t end) {
    for (size_t i = begin; i < end; ++i) roots[i] = std::sqrt(roots[i]);
  });
  roots_ = std::move(roots);
  root_channels_ = root_channels;
}

void Optimizer::allow_beyond(const int8_t* sides, float room) {
  auto cells = make_zeros<AlignedVector<int8_t>>(target_.size());
  const ptrdiff_t stride = ptrdiff_t{window_.width} * channels_;
  for_each_cell([&](const Binning::Cell& cell) {
    for (int y = 0; y < cell.rows; ++y) {
      const int8_t* const from = sides + (cell.y + y) * stride + cell.x * channels_;
      int8_t* const to = cell_row(cells.data() + cell.offset, channels_, y);
      for (int x = 0; x < cell.columns; ++x) {
        for (int k = 0; k < channels_; ++k) to[16 * k + x] = from[x * channels_ + k];
      }
    }
  });
  sides_ = std::move(cells);
  room_ = room;
}

// The roots of a cell.
const float* Optimizer::roots(const Binning::Cell& cell) const {
  return roots_.data() +
         cell.offset / static_cast<size_t>(channels_) * static_cast<size_t>(root_channels_);
}

void Optimizer::set_coarse(bool coarse) {
  if (coarse == this->coarse()) return;
  grids_.reset();
  prepared_coarse_ = false;
  if (!coarse) return;
  grids_ = std::make_unique<CoarseGrids>(window_.height, window_.width, channels_, threads_);
}

// Prepares the Gaussians that are drawn at every pixel. If `coarse`, the grids get the others, and
// are returned if there are any.
CoarseGrids* Optimizer::prepare(const Source& source, bool coarse) {
  prepared_coarse_ = coarse && grids_;
  if (!prepared_coarse_) {
    binning_.prepare(source, window_, threads_);
    return nullptr;
  }
  grids_->assign(source);
  binning_.prepare(grids_->fine(), window_, threads_);
  return grids_->empty() ? nullptr : grids_.get();
}

// Whether Gaussian i can be drawn and may touch the picture, as of the last `prepare`.
bool Optimizer::visible(size_t i) const {
  if (!prepared_coarse_) return binning_.visible(i);
  const CoarseGrids::Place place = grids_->place(i);
  return place.level == 0 ? binning_.visible(place.index) : grids_->visible(place);
}

// Copies height × width × channels floats to cells.
void Optimizer::put_in_cells(const float* values, int channels, float* cells) {
  const ptrdiff_t stride = ptrdiff_t{window_.width} * channels;
  for_each_cell([&](const Binning::Cell& cell) {
    const size_t place =
        cell.offset / static_cast<size_t>(channels_) * static_cast<size_t>(channels);
    from_floats(values + cell.y * stride + cell.x * channels, stride, channels, cell.rows,
                cell.columns, cells + place);
  });
}

Source Optimizer::source() const {
  return {means.data(), cholesky.data(), colors.data(), count(), channels_, q_max_};
}

void Optimizer::reserve(int count) {
  const size_t n = static_cast<size_t>(count), c = static_cast<size_t>(channels_);
  means.reserve(2 * n);
  cholesky.reserve(3 * n);
  colors.reserve(c * n);
  first.reserve(n * (5 + c));
  second.reserve(n * (5 + c));
  trainable_.reserve(n);
  age_.reserve(n);
  binning_.reserve(n);
  if (grids_) grids_->reserve(n);
}

void Optimizer::add(const double* new_means, const double* new_cholesky, const float* new_colors,
                    int count) {
  const size_t n = static_cast<size_t>(count), c = static_cast<size_t>(channels_);
  means.insert(means.end(), new_means, new_means + 2 * n);
  cholesky.insert(cholesky.end(), new_cholesky, new_cholesky + 3 * n);
  colors.insert(colors.end(), new_colors, new_colors + c * n);
  first.resize(first.size() + n * (5 + c), 0.0f);
  second.resize(second.size() + n * (5 + c), 0.0f);
  trainable_.resize(trainable_.size() + n, train_position | train_covariance | train_color);
  age_.resize(age_.size() + n, 0);
}

void Optimizer::erase(const std::vector<uint8_t>& keep) {
  const size_t c = static_cast<size_t>(channels_);
  compact(means, 2, keep);
  compact(cholesky, 3, keep);
  compact(colors, c, keep);
  compact(first, 5 + c, keep);
  compact(second, 5 + c, keep);
  compact(trainable_, 1, keep);
  compact(age_, 1, keep);
}

void Optimizer::keep(const uint8_t* keep) { erase(std::vector<uint8_t>(keep, keep + count())); }

// Runs body(strip) for all strips, with the lists of each strip's group.
template <typename Strips>
void Optimizer::for_each_strip(Strips&& body) {
  prepare(source(), false);
  for (int group = 0; group < binning_.groups(); ++group) {
    binning_.bin(group);
    parallel(binning_.strips(), threads_, [&](int i) {
      FlushDenormals flush;
      body(binning_.first_strip() + i);
    });
  }
}

void Optimizer::bake(const uint8_t* bake) {
  const size_t n = static_cast<size_t>(count());
  std::vector<uint8_t> keep(n);
  std::vector<float> all = colors;
  for (size_t i = 0; i < n; ++i) {
    keep[i] = !bake[i];
    for (size_t j = 0; j < static_cast<size_t>(channels_); ++j) {
      float& color = colors[i * static_cast<size_t>(channels_) + j];
      color = bake[i] ? -color : 0.0f;
    }
  }
  const Kernels& k = kernels();
  const Interruptible::Scope whole(nullptr);
  for_each_strip([&](int strip) {
    const auto add = [&](const Binning::Cell& cell, const CellSpan* spans, size_t count, bool,
                         bool) {
      k.accumulate(binning_.prepared(), spans, count, channels_, binning_.weight_min(),
                   target_.data() + cell.offset, nullptr);
    };
    binning_.for_each_cell(strip, add);
  });
  colors = std::move(all);
  erase(keep);
}

// Draws the Gaussians with the given colors, large ones on coarser grids if `coarse` is true and
// these are in use, subtracts the target if `subtract_target` is true, and runs reduce(i, totals)
// for each Gaussian with its moments; see reduce_moments. Returns half the sum of
// squares of the result.
template <typename Reduce>
double Optimizer::pass_over_cells(const float* with_colors, bool subtract_target, bool coarse,
                                  Reduce&& reduce) {
  Source drawn = source();
  drawn.colors = with_colors;
  CoarseGrids* const grids = prepare(drawn, coarse);
  if (grids) grids->draw();
  const Kernels& k = kernels();
  const auto start = [&](const Binning::Cell& cell, float* p) {
    if (grids) {
      grids->start(cell, subtract_target ? target_.data() + cell.offset : nullptr, p);
    } else {
      start_cell(cell, subtract_target, p);
    }
  };
  const auto finish = [&](const Binning::Cell& cell, float* p) {
    if (subtract_target) forgive(cell, p);
    const double loss =
        k.weigh_residual(p, roots(cell), root_channels_, static_cast<float>(block_weight_),
                         channels_, cell.rows, cell.columns);
    if (grids) grids->take(cell, p);
    return loss;
  };
  const double loss = residual_pass(
      binning_, channels_, threads_, memory_, start,
      [](const Binning::Cell&, const Spans& spans) { return spans; }, finish,
      [&](size_t i, const MomentTotals& totals) {
        reduce(prepared_coarse_ ? grids_->number(i) : i, totals);
      });
  if (grids) grids->reduce(reduce);
  return loss;
}

// Takes what is allowed beyond the target from the residuals of a cell.
void Optimizer::forgive(const Binning::Cell& cell, float* p) const {
  if (sides_.empty()) return;
  const size_t floats =
      static_cast<size_t>(cell.rows + 1) / 2 * 16 * static_cast<size_t>(channels_);
  kernels().forgive(sides_.data() + cell.offset, room_, floats, p);
}

void Optimizer::start_cell(const Binning::Cell& cell, bool subtract_target, float* p) const {
  const size_t floats =
      static_cast<size_t>(cell.rows + 1) / 2 * 16 * static_cast<size_t>(channels_);
  if (!subtract_target) {
    std::fill_n(p, floats, 0.0f);
    return;
  }
  kernels().negate(target_.data() + cell.offset, floats, p);
}

// Multiplies a cell of residuals by the weights.
void Optimizer::multiply_by_weights(const Binning::Cell& cell, float* p) const {
  if (root_channels_ == 0) return;
  const float* root = roots(cell);
  for (int pair = 0; pair < (cell.rows + 1) / 2; ++pair) {
    for (int k = 0; k < channels_; ++k, p += 16) {
      for (int j = 0; j < 16; ++j) p[j] = p[j] * root[j] * root[j];
      if (root_channels_ > 1) root += 16;
    }
    if (root_channels_ == 1) root += 16;
  }
}

// Sums each Gaussian's moments into sums_; returns as `pass_over_cells` does.
double Optimizer::sum_moments(const float* with_colors, bool subtract_target) {
  const size_t width = static_cast<size_t>(parameters());
  sums_.assign(static_cast<size_t>(count()) * width, 0.0);
  return pass_over_cells(with_colors, subtract_target, true,
                         [&](size_t gaussian, const MomentTotals& m) {
                           double* sums = sums_.data() + gaussian * width;
                           sums[0] += m.g1;
                           sums[1] += m.g2;
                           sums[2] += m.g11;
                           sums[3] += m.g12;
                           sums[4] += m.g22;
                           for (int j = 0; j < channels_; ++j) sums[5 + j] += m.color[j];
                         });
}

// Sums w R over the pixels of each Gaussian, for each channel, into `products`; returns as
// `pass_over_cells` does.
double Optimizer::project(const float* with_colors, bool subtract_target,
                          std::vector<double>& products) {
  const size_t c = static_cast<size_t>(channels_);
  std::fill(products.begin(), products.end(), 0.0);
  return pass_over_cells(with_colors, subtract_target, false, [&](size_t i, const MomentTotals& m) {
    for (size_t j = 0; j < c; ++j) products[i * c + j] += m.color[j];
  });
}

// Moves the trainable parameters of Gaussian i by a step in its own frame: two of position, then
// l11, l21 and l22.
void Optimizer::move(size_t i, const double* step) {
  double* mean = means.data() + 2 * i;
  double* l = cholesky.data() + 3 * i;
  if (trainable_[i] & train_position) {
    mean[0] += l[0] * step[0];
    mean[1] += l[1] * step[0] + l[2] * step[1];
  }
  if (trainable_[i] & train_covariance) {
    const double l21 = l[1] + l[1] * step[2] + l[2] * step[3];
    l[0] = std::clamp(l[0] * std::exp(step[2]), min_sigma, max_sigma);
    l[1] = std::clamp(l21, -max_sigma, max_sigma);
    l[2] = std::clamp(l[2] * std::exp(step[4]), min_sigma, max_sigma);
  }
}

// Frees what the next iteration makes anew, because maps of a residual are made when a fit needs
// the most memory.
void Optimizer::free_scratch() {
  if (grids_) grids_->free_pictures();
  memory_ = {};
  sums_ = {};
}

// Runs take(cell, p) for all cells with their residuals times the weights. Several threads call it,
// each for other strips.
template <typename Take>
void Optimizer::for_each_residual(Take&& take) {
  free_scratch();
  const Kernels& k = kernels();
  for_each_strip([&](int strip) {
    float* const buffer = float_buffer(binning_.bands(), channels_);
    const auto add = [&](const Binning::Cell& cell, const CellSpan* spans, size_t count, bool first,
                         bool last) {
      float* const p = buffer + cell_floats(channels_) * static_cast<size_t>(cell.band);
      if (first) start_cell(cell, true, p);
      k.accumulate(binning_.prepared(), spans, count, channels_, binning_.weight_min(), p, nullptr);
      if (last) {
        forgive(cell, p);
        multiply_by_weights(cell, p);
        take(cell, p);
      }
    };
    binning_.for_each_cell(strip, add);
  });
}

void Optimizer::residual(float* out) {
  const ptrdiff_t stride = ptrdiff_t{window_.width} * channels_;
  for_each_residual([&](const Binning::Cell& cell, const float* p) {
    kernels().to_floats(p, channels_, cell.rows, cell.columns,
                        out + cell.y * stride + cell.x * channels_, stride);
  });
}

// Sets each pixel of a map to reduce(p), where the residuals of the pixel are p[0], p[16], …
template <typename Reduce>
void Optimizer::map_residual(float* out, Reduce&& reduce) {
  for_each_residual([&](const Binning::Cell& cell, const float* p) {
    for (int y = 0; y < cell.rows; ++y) {
      const float* const row = cell_row(p, channels_, y);
      float* const to = out + (ptrdiff_t{cell.y} + y) * window_.width + cell.x;
      for (int x = 0; x < cell.columns; ++x) to[x] = reduce(row + x);
    }
  });
}

void Optimizer::residual_magnitudes(float* out) {
  with_channels(channels_, [&](auto c) {
    map_residual(out, [c](const float* p) {
      float sum = std::fabs(p[0]);
      for (int k = 1; k < c; ++k) sum += std::fabs(p[16 * k]);
      return sum;
    });
  });
}

void Optimizer::residual_sums(const float* parts, float* out) {
  with_channels(channels_, [&](auto c) {
    map_residual(out, [c, parts](const float* p) {
      float sum = parts[0] * p[0];
      for (int k = 1; k < c; ++k) sum += parts[k] * p[16 * k];
      return sum;
    });
  });
}

void Optimizer::residual_at(const int64_t* pixels, size_t count, float* out) {
  // The numbers of the pixels of each strip.
  std::vector<std::vector<size_t>> wanted(static_cast<size_t>(count_strips(window_.width)));
  for (size_t i = 0; i < count; ++i) {
    wanted[static_cast<size_t>(pixels[i] % window_.width / cell_width)].push_back(i);
  }
  for_each_residual([&](const Binning::Cell& cell, const float* p) {
    for (const size_t i : wanted[static_cast<size_t>(cell.x / cell_width)]) {
      const int y = static_cast<int>(pixels[i] / window_.width) - cell.y;
      const int x = static_cast<int>(pixels[i] % window_.width) - cell.x;
      if (y < 0 || y >= cell.rows) continue;
      const float* const from = cell_row(p, channels_, y) + x;
      for (int k = 0; k < channels_; ++k)
        out[i * static_cast<size_t>(channels_) + static_cast<size_t>(k)] = from[16 * k];
    }
  });
}

void Optimizer::residual_in_strips(ptrdiff_t stride, float* out) {
  for_each_residual([&](const Binning::Cell& cell, const float* p) {
    float* const to = cell_row(out + cell.x / cell_width * stride, channels_, cell.y);
    for (int y = 0; y < cell.rows; ++y) {
      const float* const from = cell_row(p, channels_, y);
      float* const row = cell_row(to, channels_, y);
      for (int k = 0; k < channels_; ++k) std::copy_n(from + 16 * k, cell.columns, row + 16 * k);
    }
  });
}

}  // namespace gi
