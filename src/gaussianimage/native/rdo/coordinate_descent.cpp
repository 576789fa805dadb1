#include "rdo/coordinate_descent.h"

#include <algorithm>
#include <cmath>

#include "base/flush_denormals.h"
#include "base/interrupt.h"
#include "base/pool.h"
#include "layer/dequantize.h"
#include "simd/dispatch.h"

namespace gi {
namespace {

constexpr int band_rows = 128;

// The most steps of a Gaussian in a pass.
constexpr int max_rounds = 2;

}  // namespace

SingleGaussian make_single_gaussian(const double* mean, const double* l, double q_max, int height) {
  const double reach = std::sqrt(2 * q_max) * std::hypot(l[1], l[2]);
  const double top = std::clamp(mean[1] - reach - 1, 0.0, double(height));
  const double bottom = std::clamp(mean[1] + reach + 1, 0.0, double(height));
  return {mean[0],           mean[1], 0.5 / (l[0] * l[0]),   -l[1] / l[0],
          1 / (l[2] * l[2]), q_max,   static_cast<int>(top), static_cast<int>(bottom)};
}

CoordinateDescent::CoordinateDescent(const Quantizer& quantizer, double q_max,
                                     const float* residual, const float* roots, double block_weight)
    : quantizer_(quantizer), shapes_(quantizer), q_max_(q_max) {
  const ptrdiff_t stride = (quantizer.width + 7) / 8 * 8, plane = stride * quantizer.height;
  floats_.assign(static_cast<size_t>(plane * quantizer.channels), 0.0f);
  planes_ = {floats_.data(), stride, plane, quantizer.height, quantizer.width, quantizer.channels};
  for (int y = 0; y < quantizer.height; ++y) {
    check_interrupt();
    for (int x = 0; x < quantizer.width; ++x) {
      for (int k = 0; k < quantizer.channels; ++k) {
        floats_[static_cast<size_t>(k * plane + y * stride + x)] = *residual++;
      }
    }
  }
  if (roots) {
    roots_.assign(static_cast<size_t>(plane), 0.0f);
    for (int y = 0; y < quantizer.height; ++y) {
      std::copy_n(roots + ptrdiff_t{y} * quantizer.width, quantizer.width,
                  roots_.begin() + y * stride);
    }
    planes_.roots = roots_.data();
  }
  if (block_weight > 0) {
    block_sums_.assign(static_cast<size_t>(planes_.block_plane() * quantizer.channels), 0.0f);
    planes_.block_sums = block_sums_.data();
    planes_.block_weight = block_weight;
    for (int k = 0; k < quantizer.channels; ++k) {
      for (int y = 0; y < quantizer.height; ++y) {
        check_interrupt();
        const float* row = planes_.data + k * plane + y * stride;
        float* sums = planes_.block_sums + k * planes_.block_plane() + y / 4 * (stride / 4);
        for (int x = 0; x < quantizer.width; ++x) sums[x / 4] += row[x];
      }
    }
  }
}

void CoordinateDescent::residual(float* out) const {
  for (int y = 0; y < planes_.height; ++y) {
    check_interrupt();
    for (int x = 0; x < planes_.width; ++x) {
      for (int k = 0; k < planes_.channels; ++k) {
        *out++ = planes_.data[k * planes_.plane + y * planes_.stride + x];
      }
    }
  }
}

// Converts the geometry of a Gaussian from integers.
SingleGaussian CoordinateDescent::dequantize_geometry(const QuantizedGaussian& gaussian) const {
  const double step = shape_step(quantizer_, gaussian.amplitude);
  const double d1 = gaussian.shape[1] * step, d2 = gaussian.shape[2] * step, r = std::hypot(d1, d2);
  const Factor factor = make_factor(d1, d2, r, std::exp(2 * r), std::exp(gaussian.shape[0] * step));
  const double cell = std::ldexp(1.0, gaussian.precision - 4);
  const double mean[2] = {(gaussian.x + 0.5) * cell, (gaussian.y + 0.5) * cell};
  const double cholesky[3] = {factor.l11, factor.l21, factor.l22};
  return make_single_gaussian(mean, cholesky, q_max_, planes_.height);
}

// Adds sign times a Gaussian to the residual.
void CoordinateDescent::paint(const QuantizedGaussian& gaussian, double sign) {
  const double size = std::exp(gaussian.shape[0] * shape_step(quantizer_, gaussian.amplitude));
  const double scale = sign * quantizer_.color_step / (root_pi * size);
  float color[4] = {};
  for (int k = 0; k < quantizer_.channels; ++k) {
    double value = gaussian.color[k];
    if (quantizer_.channels >= 3 && k < 3) {
      value = 0;
      for (int j = 0; j < 3; ++j) value += rgb_basis[j][k] * gaussian.color[j];
    }
    color[k] = static_cast<float>(scale * value);
  }
  kernels().draw_gaussian(planes_, dequantize_geometry(gaussian), color);
}

// Finds the best color for a geometry among the colors of its amplitude class, one of which is the
// present color. `sums` are Σ w R and Σ w² of the picture without this Gaussian; `scale` is a color
// step in units of the picture. Returns the value of the color alone. Sets `wanted` to the
// amplitude class of the color that is best without regard to classes.
double CoordinateDescent::best_color(QuantizedGaussian& gaussian, int set, const double* sums,
                                     double scale, int& wanted) const {
  const int channels = quantizer_.channels;
  double along[4] = {};  // Σ w R in the basis of the coded colors
  for (int k = 0; k < channels; ++k) along[k] = sums[k];
  if (channels >= 3) {
    for (int k = 0; k < 3; ++k) {
      along[k] = 0;
      for (int j = 0; j < 3; ++j) along[k] += rgb_basis[k][j] * sums[j];
    }
  }
  const double energy = scale * scale * sums[channels];
  int32_t low[4], nearest[4], chosen[4];
  for (int k = 0; k < channels; ++k) {
    const double best = std::clamp(-scale * along[k] / energy, -1e6, 1e6);
    low[k] = static_cast<int32_t>(std::floor(best));
    nearest[k] = static_cast<int32_t>(std::lrint(best));
  }
  wanted = amplitude_class(nearest, channels);
  double least = HUGE_VAL;
  const auto weigh = [&](const int32_t* tried) {
    if (amplitude_class(tried, channels) != gaussian.amplitude) return;
    // Σ (R + w c)² - R².
    double value = 0;
    for (int k = 0; k < channels; ++k) {
      value += tried[k] * (2 * scale * along[k] + energy * tried[k]);
    }
    if (value >= least) return;
    double bits = costs_->luma(set, gaussian.precision, tried[0]);
    if (channels >= 3) {
      bits += costs_->chroma_1(set, tried[0], tried[1]);
      bits += costs_->chroma_2(tried[0], tried[1], tried[2]);
    }
    if (channels % 2 == 0) bits += costs_->alpha(tried[0], tried[channels - 1]);
    value += lambda_ * bits;
    if (value >= least) return;
    least = value;
    std::copy_n(tried, channels, chosen);
  };
  weigh(gaussian.color);
  for (int mask = 0; mask < 1 << channels; ++mask) {
    int32_t tried[4];
    for (int k = 0; k < channels; ++k) tried[k] = low[k] + (mask >> k & 1);
    weigh(tried);
  }
  if (least < HUGE_VAL) std::copy_n(chosen, channels, gaussian.color);
  return least;
}

// Evaluates a geometry with its best color, and stores it in `best` if it is better. Returns the
// amplitude class of the color that is best without regard to classes.
int CoordinateDescent::consider(QuantizedGaussian gaussian, const Place& place,
                                Choice& best) const {
  int wanted = gaussian.amplitude;
  int64_t columns, rows;
  grid_size(quantizer_, gaussian.precision, columns, rows);
  if (gaussian.x < 0 || gaussian.y < 0 || gaussian.x >= columns || gaussian.y >= rows)
    return wanted;
  if (!shapes_.allow(gaussian.shape, gaussian.amplitude)) return wanted;
  const SingleGaussian drawn = dequantize_geometry(gaussian);
  if (drawn.top < place.top || drawn.bottom > place.bottom) return wanted;
  double sums[5];
  kernels().correlate(planes_, drawn, sums);
  if (!(sums[planes_.channels] > 1e-6)) return wanted;
  const double size = std::exp(gaussian.shape[0] * shape_step(quantizer_, gaussian.amplitude));
  const double scale = quantizer_.color_step / (root_pi * size);
  const double geometry = lambda_ * costs_->geometry(place.set, gaussian);
  const double value = geometry + best_color(gaussian, place.set, sums, scale, wanted);
  if (value < best.value) best = {gaussian, value};
  return wanted;
}

// Moves to the best neighbor until none is better, or for max_rounds rounds.
CoordinateDescent::Choice CoordinateDescent::find_best(const QuantizedGaussian& start,
                                                       const Place& place) const {
  Choice best{start, HUGE_VAL};
  const int wanted = consider(start, place, best);
  if (wanted != start.amplitude) {
    QuantizedGaussian other = start;
    set_amplitude(quantizer_, other, wanted);
    consider(other, place, best);
  }
  QuantizedGaussian from = best.gaussian;
  for (int round = 0; round < max_rounds; ++round) {
    const auto move = [&](auto&& change) {
      QuantizedGaussian moved = from;
      change(moved);
      consider(moved, place, best);
    };
    for (const int way : {-1, 1}) {
      move([&](QuantizedGaussian& c) { c.x += way; });
      move([&](QuantizedGaussian& c) { c.y += way; });
      for (int k = 0; k < 3; ++k) move([&](QuantizedGaussian& c) { c.shape[k] += way; });
      if (from.precision + way >= 0 && from.precision + way < precisions) {
        move([&](QuantizedGaussian& c) { set_precision(quantizer_, c, from.precision + way); });
      }
      if (from.amplitude + way >= 0 && from.amplitude + way < 16) {
        move([&](QuantizedGaussian& c) { set_amplitude(quantizer_, c, from.amplitude + way); });
      }
    }
    if (same_geometry(best.gaussian, from)) break;
    from = best.gaussian;
  }
  return best;
}

// Improves Gaussian i, or sets its color to zero.
void CoordinateDescent::improve(Layer& layer, size_t i, const Place& place) {
  QuantizedGaussian gaussian = read_gaussian(layer, i, quantizer_.channels);
  paint(gaussian, -1.0);
  const Choice best = find_best(gaussian, place);
  const size_t channels = static_cast<size_t>(quantizer_.channels);
  int32_t* color = layer.color.data() + channels * i;
  int32_t* shape = layer.shape.data() + 3 * i;
  if (!(best.value < 0)) {
    std::fill_n(color, channels, 0);
    std::fill_n(shape, 3, 0);  // because its steps depend on the amplitude
    return;
  }
  paint(best.gaussian, 1.0);
  layer.precision[i] = static_cast<uint8_t>(best.gaussian.precision);
  layer.position[2 * i] = best.gaussian.x;
  layer.position[2 * i + 1] = best.gaussian.y;
  std::copy_n(best.gaussian.color, channels, color);
  std::copy_n(best.gaussian.shape, 3, shape);
}

void CoordinateDescent::run_pass(Layer& layer, const uint8_t* set, const SymbolCosts& costs,
                                 double lambda, int threads) {
  costs_ = &costs;
  lambda_ = lambda;
  const size_t n = layer.count();
  // Sort the Gaussians into bands of rows, bands that are shifted by half a band, and the rest,
  // which fit into neither.
  const int height = planes_.height, bands = (height + band_rows - 1) / band_rows + 1;
  std::vector<std::vector<size_t>> aligned(static_cast<size_t>(bands)), shifted = aligned;
  std::vector<size_t> others;
  for (size_t i = 0; i < n; ++i) {
    const int32_t* color = layer.color.data() + static_cast<size_t>(quantizer_.channels) * i;
    if (std::all_of(color, color + quantizer_.channels, [](int32_t c) { return c == 0; })) continue;
    const SingleGaussian drawn = dequantize_geometry(read_gaussian(layer, i, quantizer_.channels));
    if (drawn.top >= drawn.bottom) continue;
    const int first = drawn.top / band_rows, last = (drawn.bottom - 1) / band_rows;
    const int half = band_rows / 2;
    const int first_shifted = (drawn.top + half) / band_rows;
    const int last_shifted = (drawn.bottom - 1 + half) / band_rows;
    if (first == last) {
      aligned[static_cast<size_t>(first)].push_back(i);
    } else if (first_shifted == last_shifted) {
      shifted[static_cast<size_t>(first_shifted)].push_back(i);
    } else {
      others.push_back(i);
    }
  }
  const FlushDenormals flush;
  for (const size_t i : others) {
    check_interrupt();
    improve(layer, i, {set[i], 0, height});
  }
  const auto go = [&](const std::vector<std::vector<size_t>>& parts, int shift) {
    parallel(bands, threads, [&](int band) {
      const FlushDenormals flush_here;
      const int top = std::max(band * band_rows - shift, 0);
      const int bottom = std::min((band + 1) * band_rows - shift, height);
      for (const size_t i : parts[static_cast<size_t>(band)]) {
        check_interrupt();
        improve(layer, i, {set[i], top, bottom});
      }
    });
  };
  go(aligned, 0);
  go(shifted, band_rows / 2);
}

}  // namespace gi
