#include "fit/optimizer.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/flush_denormals.h"
#include "base/interrupt.h"
#include "base/pool.h"
#include "render/cell_buffers.h"
#include "render/cell_layout.h"
#include "simd/dispatch.h"

namespace gi {
namespace {

constexpr double pi = 3.14159265358979323846;

// Adam's decay rates: shorter memories than usual, for runs of a few hundred iterations.
constexpr float decay1 = 0.85f;
constexpr float decay2 = 0.96f;
constexpr float epsilon = 1e-8f;

// Standard deviations stay between a fraction of a pixel and many pictures.
constexpr double min_sigma = 0.2;
constexpr double max_sigma = 1e5;

// What Adam's moments are multiplied by as long as they know few gradients.
class Corrections {
 public:
  struct Pair {
    float first, second;
  };
  Corrections() {
    for (uint32_t age = 1; age < last; ++age) {
      pairs_[age] = {1 / (1 - std::pow(decay1, static_cast<float>(age))),
                     1 / (1 - std::pow(decay2, static_cast<float>(age)))};
    }
  }
  // Later they are 1 to the last bit.
  Pair at(uint32_t age) const { return age < last ? pairs_[age] : Pair{1, 1}; }

 private:
  static constexpr uint32_t last = 1024;
  Pair pairs_[last] = {};
};

const Corrections corrections;

// Removes from `values` the rows (of `width`) that are not kept.
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
  target_.resize(binning_.picture_floats());
  put_in_cells(target, target_.data());
}

void Optimizer::weigh(const float* weights) {
  const size_t values = static_cast<size_t>(window_.height) * static_cast<size_t>(window_.width) *
                        static_cast<size_t>(channels_);
  std::vector<float> roots(values);
  for (size_t i = 0; i < values; ++i) roots[i] = std::sqrt(weights[i]);
  roots_.resize(target_.size());
  put_in_cells(roots.data(), roots_.data());
}

// Puts height × width × channels floats in cells.
void Optimizer::put_in_cells(const float* values, float* cells) {
  binning_.prepare(source(), window_, threads_);
  binning_.bin(0);
  const ptrdiff_t stride = ptrdiff_t{window_.width} * channels_;
  parallel(binning_.strips(), threads_, [&](int strip) {
    for (int band = 0; band < binning_.bands(); ++band) {
      const Binning::Cell cell = binning_.cell(strip, band);
      from_floats(values + cell.y * stride + cell.x * channels_, stride, channels_, cell.rows,
                  cell.columns, cells + cell.offset);
    }
  });
}

Source Optimizer::source() const {
  return {means.data(), cholesky.data(), colors.data(), count(), channels_, q_max_};
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

// Runs body(strip) over all strips, after the binning of each group have been made.
template <typename Strips>
void Optimizer::for_each_strip(Strips&& body) {
  binning_.prepare(source(), window_, threads_);
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
                   target_.data() + cell.offset);
    };
    binning_.for_each_cell(strip, add);
  });
  colors = std::move(all);
  erase(keep);
}

// Draws the Gaussians with the given colors, minus the target if asked, and runs reduce(i, moments)
// for each Gaussian with the moments of its parts. Returns half the sum of squares of what was
// drawn.
template <typename Reduce>
double Optimizer::pass_over_cells(const float* with_colors, bool subtract_target, Reduce&& reduce) {
  Source drawn = source();
  drawn.colors = with_colors;
  binning_.prepare(drawn, window_, threads_);
  const Kernels& k = kernels();
  const size_t n = static_cast<size_t>(count());
  const int blocks = static_cast<int>(n / 256) + 1;
  double loss = 0;
  for (int group = 0; group < binning_.groups(); ++group) {
    binning_.bin(group);
    moments_.resize(binning_.places());
    losses_.assign(static_cast<size_t>(binning_.strips()), 0.0);
    parallel(binning_.strips(), threads_, [&](int i) {
      FlushDenormals flush;
      const int strip = binning_.first_strip() + i;
      float* const buffer = float_buffer(binning_.bands(), channels_);
      const auto floats = [&](const Binning::Cell& cell) {
        return buffer + cell_floats(channels_) * static_cast<size_t>(cell.band);
      };
      MomentSums sums(binning_, strip, moments_.data());
      const auto add = [&](const Binning::Cell& cell, const CellSpan* spans, size_t count,
                           bool first, bool last) {
        float* const p = floats(cell);
        if (first) start_cell(cell, subtract_target, p);
        k.accumulate(binning_.prepared(), spans, count, channels_, binning_.weight_min(), p);
        if (last) {
          multiply_by_roots(cell, p);
          losses_[static_cast<size_t>(i)] +=
              0.5 * k.sum_squares(p, channels_, cell.rows, cell.columns);
          multiply_by_roots(cell, p);
        }
      };
      const auto then = [&](const Binning::Cell& cell, const CellSpan* spans, size_t count) {
        sums.add(spans, count, channels_, floats(cell));
      };
      binning_.for_each_cell(strip, add, then);
    });
    for (double strip_loss : losses_) loss += strip_loss;
    parallel(blocks, threads_, [&](int block) {
      const size_t begin = n * static_cast<size_t>(block) / static_cast<size_t>(blocks);
      const size_t end = n * static_cast<size_t>(block + 1) / static_cast<size_t>(blocks);
      for (size_t i = begin; i < end; ++i) {
        for (size_t place = binning_.first_place(i); place < binning_.first_place(i + 1); ++place) {
          reduce(i, moments_[place]);
        }
      }
    });
  }
  return loss;
}

void Optimizer::start_cell(const Binning::Cell& cell, bool subtract_target, float* p) const {
  const size_t floats =
      static_cast<size_t>(cell.rows + 1) / 2 * 16 * static_cast<size_t>(channels_);
  if (!subtract_target) {
    std::fill_n(p, floats, 0.0f);
    return;
  }
  const float* target = target_.data() + cell.offset;
  for (size_t j = 0; j < floats; ++j) p[j] = -target[j];
}

// Multiplies a cell of residuals by the roots of the weights: once for the error, twice for its
// derivative.
void Optimizer::multiply_by_roots(const Binning::Cell& cell, float* p) const {
  if (roots_.empty()) return;
  const size_t floats =
      static_cast<size_t>(cell.rows + 1) / 2 * 16 * static_cast<size_t>(channels_);
  const float* roots = roots_.data() + cell.offset;
  for (size_t j = 0; j < floats; ++j) p[j] *= roots[j];
}

// Sums of each Gaussian's moments, into sums_; returns as `pass_over_cells`.
double Optimizer::sum_moments(const float* with_colors, bool subtract_target) {
  const size_t width = static_cast<size_t>(parameters());
  sums_.assign(static_cast<size_t>(count()) * width, 0.0);
  return pass_over_cells(with_colors, subtract_target, [&](size_t gaussian, const Moments& m) {
    double* sums = sums_.data() + gaussian * width;
    sums[0] += m.g1;
    sums[1] += m.g2;
    sums[2] += m.g11;
    sums[3] += m.g12;
    sums[4] += m.g22;
    for (int j = 0; j < channels_; ++j) sums[5 + j] += m.color[j];
  });
}

void Optimizer::adam(int count, const Rates* rates, const Penalty& penalty, double* losses) {
  const size_t n = static_cast<size_t>(this->count());
  const int blocks = std::max(1, static_cast<int>(n / 256));
  for (int iteration = 0; iteration < count; ++iteration) {
    losses[iteration] = sum_moments(colors.data(), true);
    const Interruptible::Scope whole(nullptr);
    parallel(blocks, threads_, [&](int block) {
      const size_t begin = n * static_cast<size_t>(block) / static_cast<size_t>(blocks);
      const size_t end = n * static_cast<size_t>(block + 1) / static_cast<size_t>(blocks);
      step(begin, end, rates[iteration], penalty);
    });
    ++steps_;
  }
}

// One Adam step of Gaussian i. The gradient is taken with respect to a change of the Gaussian in
// its own frame, μ += L m and L ← L (I + Δ) with Δ lower triangular: then every rate is relative
// to the Gaussian's size and shape, and the derivatives are the whitened moments themselves.
template <int C>
void Optimizer::adam_step(size_t i, const Rates& rates, const Penalty& penalty) {
  // What draws nothing has no gradient, and must not be brought to life by the bounds below.
  if (!binning_.visible(i)) return;
  constexpr size_t channels = C, width = 5 + channels;
  const double* l = cholesky.data() + 3 * i;
  float* color = colors.data() + channels * i;
  const double i1 = 1 / l[0], i2 = 1 / l[2];
  const double* sums = sums_.data() + i * width;
  double gradient[width] = {sums[0] * i1, sums[1] * i2, sums[2] * i1 * i1, sums[3] * i1 * i2,
                            sums[4] * i2 * i2};
  const double area = pi * l[0] * l[2];
  double square = 0;
  for (size_t j = 0; j < channels; ++j) square += double{color[j]} * color[j];
  const double threshold = penalty.step * penalty.step;
  const double pull = penalty.energy + penalty.bits * threshold / (threshold + square * area);
  for (size_t j = 0; j < channels; ++j) gradient[5 + j] = sums[5 + j] + pull * color[j] * area;
  gradient[2] += 0.5 * pull * square * area;
  gradient[4] += 0.5 * pull * square * area;
  double total = 0;
  for (size_t j = 0; j < width; ++j) total += std::fabs(gradient[j]);
  if (!(total < 1e15)) return;  // its square must fit a float

  const uint32_t age = ++age_[i];
  const Corrections::Pair correct = corrections.at(age);
  float step[width];
  float* m = first.data() + i * width;
  float* v = second.data() + i * width;
  for (size_t j = 0; j < width; ++j) {
    const float g = static_cast<float>(gradient[j]);
    m[j] = decay1 * m[j] + (1 - decay1) * g;
    v[j] = decay2 * v[j] + (1 - decay2) * g * g;
    const float rate = j < 2 ? rates.position : j < 5 ? rates.covariance : rates.color;
    step[j] = -rate * (m[j] * correct.first) / (std::sqrt(v[j] * correct.second) + epsilon);
  }
  double way = 0;
  for (size_t j = 0; j < width; ++j) way += double{std::fabs(step[j])};
  if (!(way < 1e6)) return;
  const double local[5] = {step[0], step[1], step[2], step[3], step[4]};
  move(i, local);
  if (trainable_[i] & train_color) {
    for (size_t j = 0; j < channels; ++j) color[j] += step[5 + j];
  }
}

// Moves Gaussian i, as far as it may, by a step in its own frame: 2 of position, then l11, l21,
// l22.
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

void Optimizer::step(size_t begin, size_t end, const Rates& rates, const Penalty& penalty) {
  for (size_t i = begin; i < end; ++i) {
    switch (channels_) {
      case 1:
        adam_step<1>(i, rates, penalty);
        break;
      case 2:
        adam_step<2>(i, rates, penalty);
        break;
      case 3:
        adam_step<3>(i, rates, penalty);
        break;
      default:
        adam_step<4>(i, rates, penalty);
    }
  }
}

double Optimizer::solve_colors(int iterations, double ridge) {
  const size_t n = static_cast<size_t>(count()), c = static_cast<size_t>(channels_), size = n * c;
  // Normal equations A x = b with A = GᵀG + ridge D, D the diagonal of GᵀG, preconditioned by D.
  std::vector<double> products(size);
  const auto project = [&](const float* values, bool subtract_target) {
    std::fill(products.begin(), products.end(), 0.0);
    return pass_over_cells(values, subtract_target, [&](size_t gaussian, const Moments& m) {
      for (size_t j = 0; j < c; ++j) products[gaussian * c + j] += m.color[j];
    });
  };
  std::vector<double> x(size), r(size), p(size);
  std::vector<float> direction(size);
  project(colors.data(), true);
  std::vector<double> diagonal(size);  // 0: held, as is what draws nothing
  for (size_t i = 0; i < size; ++i) {
    if (!(trainable_[i / c] & train_color) || !binning_.visible(i / c)) continue;
    diagonal[i] = pi * cholesky[3 * (i / c)] * cholesky[3 * (i / c) + 2];
  }
  for (size_t i = 0; i < size; ++i) {
    r[i] = diagonal[i] > 0 ? -products[i] - ridge * diagonal[i] * colors[i] : 0.0;
  }
  double rho = 0;
  for (int iteration = 0; iteration < iterations; ++iteration) {
    double rho_new = 0;
    for (size_t i = 0; i < size; ++i) {
      if (diagonal[i] > 0) rho_new += r[i] * r[i] / diagonal[i];
    }
    if (!(rho_new > 1e-12)) break;
    const double beta = iteration == 0 ? 0.0 : rho_new / rho;
    rho = rho_new;
    for (size_t i = 0; i < size; ++i) {
      p[i] = (diagonal[i] > 0 ? r[i] / diagonal[i] : 0.0) + beta * p[i];
      direction[i] = static_cast<float>(p[i]);
    }
    project(direction.data(), false);
    double curvature = 0;
    for (size_t i = 0; i < size; ++i) {
      products[i] = diagonal[i] > 0 ? products[i] + ridge * diagonal[i] * p[i] : 0.0;
      curvature += p[i] * products[i];
    }
    if (!(curvature > 0)) break;
    const double alpha = rho / curvature;
    for (size_t i = 0; i < size; ++i) {
      x[i] += alpha * p[i];
      r[i] -= alpha * products[i];
    }
  }
  for (size_t i = 0; i < size; ++i) {
    const double value = colors[i] + x[i];
    if (std::fabs(value) < 1e6) colors[i] = static_cast<float>(value);
  }
  return project(colors.data(), true);
}

void Optimizer::residual(float* out) {
  const ptrdiff_t stride = ptrdiff_t{window_.width} * channels_;
  const Kernels& k = kernels();
  for_each_strip([&](int strip) {
    float* const buffer = float_buffer(binning_.bands(), channels_);
    const auto add = [&](const Binning::Cell& cell, const CellSpan* spans, size_t count, bool first,
                         bool last) {
      float* const p = buffer + cell_floats(channels_) * static_cast<size_t>(cell.band);
      if (first) start_cell(cell, true, p);
      k.accumulate(binning_.prepared(), spans, count, channels_, binning_.weight_min(), p);
      if (last) {
        multiply_by_roots(cell, p);
        multiply_by_roots(cell, p);
        k.to_floats(p, channels_, cell.rows, cell.columns,
                    out + cell.y * stride + cell.x * channels_, stride);
      }
    };
    binning_.for_each_cell(strip, add);
  });
}

}  // namespace gi
