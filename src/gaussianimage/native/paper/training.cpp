#include "paper/training.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "base/interrupt.h"
#include "base/parallel_blocks.h"
#include "render/cell_layout.h"
#include "simd/dispatch.h"

namespace gi::paper {
namespace {

constexpr size_t block = 256;  // Gaussians that a thread takes at a time

// Returns the Gaussians' Cholesky factor with a diagonal above 0, which the kernels expect. Signs
// of columns do not change the covariance. A factor that is not finite becomes 0, which draws
// nothing.
void set_signs(const double* from, double* to) {
  const double first = from[0] < 0 ? -1 : 1, second = from[2] < 0 ? -1 : 1;
  const bool finite = std::isfinite(from[0]) && std::isfinite(from[1]) && std::isfinite(from[2]);
  to[0] = finite ? first * from[0] : 0;
  to[1] = finite ? first * from[1] : 0;
  to[2] = finite ? second * from[2] : 0;
}

}  // namespace

Training::Training(const float* target, int height, int width, int channels,
                   const Parametrization& model, const Start& start, double q_max, int threads)
    : best_error(std::numeric_limits<double>::infinity()),
      window_{0, 0, height, width},
      channels_(channels),
      model_(model),
      q_max_(q_max),
      threads_(resolve_threads(threads)) {
  parameters.emplace_back("means", 2, start.means, start.count);
  parameters.emplace_back("shape", 3, start.shapes, start.count);
  parameters.emplace_back("colors", static_cast<size_t>(channels), start.colors, start.count);
  const size_t n = start.count;
  tanh_.resize(2 * n);
  terms_.resize(n);
  centers_.resize(2 * n);
  cholesky_.resize(3 * n);
  each_ = static_cast<float>(2 / (double{1} * height * width * channels));
  const Source nothing{nullptr, nullptr, nullptr, 0, channels, q_max};
  binning_.prepare(nothing, window_, threads_);
  binning_.bin(0);
  target_.resize(binning_.picture_floats());
  const ptrdiff_t stride = ptrdiff_t{width} * channels;
  for (int strip = 0; strip < binning_.strips(); ++strip) {
    for (int band = 0; band < binning_.bands(); ++band) {
      const Binning::Cell cell = binning_.cell(strip, band);
      from_floats(target + cell.y * stride + cell.x * channels, stride, channels, cell.rows,
                  cell.columns, target_.data() + cell.offset);
    }
  }
}

void Training::follow(const ReleasedCode& released) {
  released_ = released;
  if (released.tile_cut) tile_cut_.emplace(window_.height, window_.width, released.tile_entries);
}

void Training::quantize_shapes(int most, float factor, const float* scale, const float* beta) {
  Parameter& steps = parameters.emplace_back("shape_scale", 1, scale, 3);
  Parameter& offsets = parameters.emplace_back("shape_beta", 1, beta, 3);
  shape_quantizer_.emplace(steps, offsets, most, factor);
}

void Training::quantize_colors(int most, float factor, const float* scale, const float* beta) {
  const size_t c = static_cast<size_t>(channels_);
  Parameter& steps = parameters.emplace_back("color_scale", 1, scale, c);
  Parameter& offsets = parameters.emplace_back("color_beta", 1, beta, c);
  color_quantizer_.emplace(steps, offsets, most, factor);
}

void Training::quantize_colors(Codebooks books, bool commitment) {
  codebooks.emplace(std::move(books));
  commitment_ = commitment;
}

void Training::run(int count, const double* rates, double* errors) {
  for (int iteration = 0; iteration < count; ++iteration) {
    errors[iteration] = differentiate();
    const Interruptible::Scope whole(nullptr);
    if (quantizes()) keep_if_best(errors[iteration]);
    if (codebooks) codebooks->adapt();
    step(rates[iteration]);
  }
}

double Training::measure() {
  const double error = differentiate();
  if (quantizes()) keep_if_best(error);
  return error;
}

double Training::differentiate() {
  quantize();
  make_gaussians();
  const double error = pass();
  differentiate_numbers();
  return error;
}

// Computes the numbers that a decoder restores.
void Training::quantize() {
  means_ = parameters[0].value;
  shapes_ = parameters[1].value;
  if (!quantizes()) {
    colors_ = parameters[2].value;
    return;
  }
  for (float& x : means_) x = half_precision(x);
  if (model_.angle) {
    for (size_t i = 2; i < shapes_.size(); i += 3) shapes_[i] = rotation_angle(shapes_[i]);
  }
  shape_quantizer_->round(shapes_.data(), count(), shapes_.data());
  colors_.resize(parameters[2].size());
  if (codebooks) {
    codebooks->code(parameters[2].value.data(), count(), colors_.data());
  } else {
    color_quantizer_->round(parameters[2].value.data(), count(), colors_.data());
  }
}

void Training::make_gaussians() {
  parallel_blocks(count(), block, threads_, [&](size_t begin, size_t end) {
    for (size_t i = begin; i < end; ++i) {
      place(model_, means_.data() + 2 * i, centers_.data() + 2 * i, tanh_.data() + 2 * i);
      terms_[i] = shape_terms(model_, shapes_.data() + 3 * i);
      set_signs(terms_[i].cholesky, cholesky_.data() + 3 * i);
    }
  });
}

// Draws the Gaussians, and sums the moments of the derivative by each pixel into sums_. Returns the
// mean squared error.
double Training::pass() {
  const Source source{centers_.data(),           cholesky_.data(), colors_.data(),
                      static_cast<int>(count()), channels_,        q_max_};
  binning_.prepare(source, window_, threads_);
  if (tile_cut_) tile_cut_->prepare(centers_.data(), cholesky_.data(), count());
  const Kernels& k = kernels();
  const float black[max_channels] = {};
  const size_t width = 5 + static_cast<size_t>(channels_);
  sums_.assign(count() * width, 0.0);
  const double squares = residual_pass(
      binning_, channels_, threads_, memory_,
      [&](const Binning::Cell& cell, float* p) { k.fill(black, channels_, cell.rows, p); },
      [&](const Binning::Cell& cell, const Spans& spans) {
        return tile_cut_ ? tile_cut_->cut(cell, spans) : spans;
      },
      [&](const Binning::Cell& cell, float* p) {
        return k.clamped_residual(target_.data() + cell.offset, each_, channels_, cell.rows,
                                  cell.columns, p);
      },
      [&](size_t i, const MomentTotals& m) {
        double* const sums = sums_.data() + i * width;
        sums[0] += m.g1;
        sums[1] += m.g2;
        sums[2] += m.g11;
        sums[3] += m.g12;
        sums[4] += m.g22;
        for (int j = 0; j < channels_; ++j) sums[5 + j] += m.color[j];
      });
  return squares / (double{1} * window_.height * window_.width * channels_);
}

// Computes the gradients of the learned numbers from the moments.
//
// With z = L⁻¹ d: dq = -zᵀ L⁻¹ dμ - ½ zᵀ L⁻¹ dΣ L⁻ᵀ z, and the error changes by -Σ g dq. The
// moments are those of (dx, u), and z = (dx / l11, u / l22).
void Training::differentiate_numbers() {
  const size_t c = static_cast<size_t>(channels_), width = 5 + c;
  const double twice = released_.doubled_gradient ? 2 : 1;
  Parameter &means = parameters[0], &shape = parameters[1], &colors = parameters[2];
  parallel_blocks(count(), block, threads_, [&](size_t begin, size_t end) {
    for (size_t i = begin; i < end; ++i) {
      const double* const sums = sums_.data() + i * width;
      double by_mean[2] = {}, by_cholesky[3] = {};
      if (binning_.visible(i)) {
        const double* const l = cholesky_.data() + 3 * i;
        const double i1 = 1 / l[0], i2 = 1 / l[2], s = -l[1] / l[0], m21 = s * i2;
        const double z1 = sums[0] * i1, z2 = sums[1] * i2;
        const double z11 = sums[2] * i1 * i1, z12 = sums[3] * i1 * i2, z22 = sums[4] * i2 * i2;
        by_mean[0] = z1 * i1 + z2 * m21;
        by_mean[1] = z2 * i2;
        const double xx = 0.5 * (z11 * i1 * i1 + 2 * z12 * i1 * m21 + z22 * m21 * m21);
        const double yy = 0.5 * z22 * i2 * i2;
        const double xy = twice * (z12 * i1 * i2 + z22 * m21 * i2);
        // By Σ = L Lᵀ with the factor that the model has, whose diagonal may be negative.
        const double* const model = terms_[i].cholesky;
        by_cholesky[0] = 2 * model[0] * xx + model[1] * xy;
        by_cholesky[1] = model[0] * xy + 2 * model[1] * yy;
        by_cholesky[2] = 2 * model[2] * yy;
      }
      differentiate_center(model_, tanh_.data() + 2 * i, by_mean, means.gradient.data() + 2 * i);
      differentiate_shape(model_, terms_[i], by_cholesky, shape.gradient.data() + 3 * i);
      for (size_t j = 0; j < c; ++j) {
        colors.gradient[c * i + j] = static_cast<float>(sums[5 + j]);
      }
    }
  });
  if (!quantizes()) return;
  // From the restored numbers to the learned ones; rounding to half precision passes gradients on.
  float* const by_shape = shape.gradient.data();
  std::vector<float> exact = shape.value;
  if (model_.angle) {
    for (size_t i = 2; i < exact.size(); i += 3) exact[i] = rotation_angle(exact[i]);
  }
  shape_quantizer_->differentiate(exact.data(), by_shape, count(), by_shape);
  if (model_.angle) {
    for (size_t i = 2; i < exact.size(); i += 3) {
      by_shape[i] *= rotation_angle_slope(shape.value[i]);
    }
  }
  if (codebooks) {
    codebooks->differentiate(commitment_, colors.gradient.data());
  } else {
    color_quantizer_->differentiate(colors.value.data(), colors.gradient.data(), count(),
                                    colors.gradient.data());
  }
}

void Training::keep_if_best(double error) {
  if (!(error < best_error)) return;
  best_error = error;
  for (Parameter& parameter : parameters) parameter.best = parameter.value;
  if (codebooks) codebooks->best = codebooks->state;
}

void Training::step(double rate) {
  const bool first = steps == 0;
  const AdanStep factors(rate, ++steps);
  for (Parameter& parameter : parameters) {
    parallel_blocks(parameter.size(), 8 * block, threads_,
                    [&](size_t begin, size_t end) { parameter.step(factors, first, begin, end); });
  }
}

}  // namespace gi::paper
