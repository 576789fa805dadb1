#include "rdo/coordinate_descent.h"

#include <algorithm>
#include <cmath>
#include <iterator>

#include "base/flush_denormals.h"
#include "base/interrupt.h"
#include "base/pool.h"
#include "layer/dequantize.h"
#include "rdo/joint_moves.h"
#include "simd/dispatch.h"

namespace gi {
namespace {

// A way to cut the picture into bands of rows or columns. The first of them begins `shift` before
// the picture.
struct Cut {
  bool columns;
  int side, shift;

  int length(int height, int width) const { return columns ? width : height; }
  int band_of(int at) const { return (at + shift) / side; }
  int bands(int height, int width) const { return band_of(length(height, width) - 1) + 1; }
};

// Threads share out the bands of one cut after another. A Gaussian belongs to the last cut that has
// a band which it lies in; so most belong to narrow bands, of which there are many.
constexpr Cut cuts[] = {{true, 256, 128}, {true, 256, 0}, {false, 256, 128}, {false, 256, 0},
                        {true, 128, 64},  {true, 128, 0}, {false, 128, 64},  {false, 128, 0},
                        {false, 64, 32},  {false, 64, 0}};

// The most steps of a Gaussian in a pass.
constexpr int max_rounds = 4;

// A joint move is tried if its guessed value is at most this many squared color steps above the
// best.
constexpr double doubt = 0.5;

struct Columns {
  int left, right;
};

// The columns [left, right) of a picture that a Gaussian touches, or more.
Columns columns_of(const SingleGaussian& drawn, int width) {
  const double reach = std::sqrt(2 * drawn.q_max) * drawn.l11;
  return {static_cast<int>(std::clamp(drawn.x - reach - 1, 0.0, double(width) - 1)),
          static_cast<int>(std::clamp(drawn.x + reach + 1, 1.0, double(width)))};
}

// Returns the last cut that has a band which a Gaussian lies in, and sets `band` to its number; -1
// if none has.
int find_cut(const SingleGaussian& drawn, int width, int& band) {
  const Columns columns = columns_of(drawn, width);
  for (int k = static_cast<int>(std::size(cuts)) - 1; k >= 0; --k) {
    const Cut& cut = cuts[k];
    const int first = cut.columns ? columns.left : drawn.top;
    const int last = (cut.columns ? columns.right : drawn.bottom) - 1;
    band = cut.band_of(first);
    if (band == cut.band_of(last)) return k;
  }
  return -1;
}

}  // namespace

SingleGaussian make_single_gaussian(const double* mean, const double* l, double q_max, int height) {
  const double reach = std::sqrt(2 * q_max * (l[1] * l[1] + l[2] * l[2]));
  const double top = std::clamp(mean[1] - reach - 1, 0.0, double(height));
  const double bottom = std::clamp(mean[1] + reach + 1, 0.0, double(height));
  return {
      mean[0], mean[1], l[0], l[1], l[2], q_max, static_cast<int>(top), static_cast<int>(bottom)};
}

CoordinateDescent::CoordinateDescent(const Quantizer& quantizer, double q_max,
                                     FunctionRef<void(const TiledResidual&)> fill,
                                     const float* roots, double block_weight, int threads)
    : quantizer_(quantizer), shapes_(quantizer), q_max_(q_max) {
  residual_ = {nullptr, quantizer.height, quantizer.width, quantizer.channels};
  const size_t tiles =
      static_cast<size_t>(residual_.strips()) * static_cast<size_t>(residual_.tiles_down());
  floats_.assign(tiles * residual_.tile_floats(), 0.0f);
  residual_.data = floats_.data();
  fill(residual_);
  if (roots) {
    roots_.assign(tiles * tile_rows * cell_width, 0.0f);
    residual_.roots = roots_.data();
  }
  if (block_weight > 0) {
    block_sums_.resize(tiles * static_cast<size_t>(quantizer.channels) * 8);
    residual_.block_sums = block_sums_.data();
    residual_.block_weight = block_weight;
  }
  parallel_ranges(residual_.tiles_down(), threads, [&](int begin, int end) {
    for (int row = begin; row < end; ++row) {
      check_interrupt();
      if (roots) {
        const int first = row * tile_rows;
        divide_by_roots(roots, first, std::min(first + tile_rows, residual_.height));
      }
      if (block_weight > 0) sum_blocks(row, 0, residual_.strips());
    }
  });
}

// Copies rows of the roots to tiles, and divides the residual by them.
void CoordinateDescent::divide_by_roots(const float* roots, int first, int last) {
  const int channels = quantizer_.channels;
  for (int y = first; y < last; ++y) {
    const ptrdiff_t row = ptrdiff_t{y} * residual_.width;
    for (int left = 0; left < residual_.width; left += cell_width) {
      const int columns = std::min(cell_width, residual_.width - left);
      float* const root = root_of(y, left);
      std::copy_n(roots + row + left, columns, root);
      float* const p = residual_.row(y, left);
      for (int k = 0; k < channels; ++k) {
        for (int x = 0; x < columns; ++x) p[16 * k + x] /= root[x];
      }
    }
  }
}

// Sums the blocks of 4 × 4 pixels in a row of tiles, from one strip to another.
void CoordinateDescent::sum_blocks(int row_of_tiles, int first_strip, int last_strip) {
  const size_t channels = static_cast<size_t>(quantizer_.channels);
  for (int strip = first_strip; strip < last_strip; ++strip) {
    const size_t tile = residual_.tile(row_of_tiles * tile_rows, strip * cell_width);
    for (size_t k = 0; k < channels; ++k) {
      const float* p = floats_.data() + tile * residual_.tile_floats() + 16 * k;
      float* sums = block_sums_.data() + (tile * channels + k) * 8;
      for (size_t side = 0; side < 8; side += 4) {
        float total = 0;
        for (size_t y = 0; y < tile_rows; ++y) {
          const float* row = p + y / 2 * (16 * channels) + y % 2 * 8 + side;
          total += (row[0] + row[1]) + (row[2] + row[3]);
        }
        std::fill_n(sums + side, 4, total);
      }
    }
  }
}

void CoordinateDescent::cut_block(int64_t number, Block& block) const {
  const BlockSource place{nullptr, residual_.height, residual_.width, residual_.channels};
  const int top = static_cast<int>(place.top(number)), left = static_cast<int>(place.left(number));
  const int bottom = top + static_cast<int>(place.rows(number));
  const int right = left + static_cast<int>(place.columns(number));
  for (size_t k = 0; k < static_cast<size_t>(residual_.channels); ++k) block[k].fill(0);
  for (int y = top; y < bottom; ++y) {
    for (int x = left; x < right; ++x) {
      const float* const p = residual_.row(y, x);
      const size_t to = static_cast<size_t>((y - top) * block_side + x - left);
      const float root = residual_.roots ? *root_of(y, x) : 1;
      for (int k = 0; k < residual_.channels; ++k)
        block[static_cast<size_t>(k)][to] = p[16 * k] / root;
    }
  }
}

void CoordinateDescent::weigh_block(int64_t number, double factor) {
  static_assert(block_side % tile_rows == 0 && block_side % cell_width == 0);
  if (!residual_.roots) {
    roots_.assign(floats_.size() / static_cast<size_t>(residual_.channels), 1.0f);
    residual_.roots = roots_.data();
  }
  const BlockSource place{nullptr, residual_.height, residual_.width, residual_.channels};
  const int top = static_cast<int>(place.top(number)), left = static_cast<int>(place.left(number));
  const int bottom = top + static_cast<int>(place.rows(number));
  const int right = left + static_cast<int>(place.columns(number));
  const float by = static_cast<float>(std::sqrt(factor));
  for (int y = top; y < bottom; ++y) {
    for (int x = left; x < right; ++x) {
      *root_of(y, x) *= by;
      float* const p = residual_.row(y, x);
      for (int k = 0; k < residual_.channels; ++k) p[16 * k] *= by;
    }
  }
  if (!residual_.block_sums) return;
  const int first = left / cell_width, last = count_strips(right);
  for (int row = top / tile_rows; row * tile_rows < bottom; ++row) sum_blocks(row, first, last);
}

void CoordinateDescent::copy_residual(float* out) const {
  const int channels = quantizer_.channels;
  for (int y = 0; y < residual_.height; ++y) {
    check_interrupt();
    for (int x = 0; x < residual_.width; ++x) {
      const float* const p = residual_.row(y, x);
      for (int k = 0; k < channels; ++k) *out++ = p[16 * k];
    }
  }
}

// Converts the geometry of a Gaussian from integers.
CoordinateDescent::Geometry CoordinateDescent::dequantize_geometry(
    const QuantizedGaussian& gaussian) const {
  const double step = shape_step(quantizer_, gaussian.amplitude);
  const double d1 = gaussian.shape[1] * step, d2 = gaussian.shape[2] * step;
  const double r = std::sqrt(d1 * d1 + d2 * d2), size = std::exp(gaussian.shape[0] * step);
  const Factor factor = make_factor(d1, d2, r, std::exp(2 * r), size);
  const Point center = center_of(quantizer_, gaussian);
  const double mean[2] = {center.x, center.y};
  const double cholesky[3] = {factor.l11, factor.l21, factor.l22};
  return {make_single_gaussian(mean, cholesky, q_max_, residual_.height), size};
}

// Adds sign times a Gaussian to the residual.
void CoordinateDescent::paint(const QuantizedGaussian& gaussian, double sign) {
  const Geometry geometry = dequantize_geometry(gaussian);
  const double scale = sign * quantizer_.color_step / (root_pi * geometry.size);
  float color[4] = {};
  for (int k = 0; k < quantizer_.channels; ++k) {
    double value = gaussian.color[k];
    if (quantizer_.channels >= 3 && k < 3) {
      value = 0;
      for (int j = 0; j < 3; ++j) value += rgb_basis[j][k] * gaussian.color[j];
    }
    color[k] = static_cast<float>(scale * value);
  }
  kernels().draw_gaussian(residual_, geometry.drawn, color);
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

bool CoordinateDescent::is_within(const SingleGaussian& drawn) const {
  const double reach = std::sqrt(2 * q_max_);
  const double across = reach * drawn.l11, down = reach * std::hypot(drawn.l21, drawn.l22);
  return drawn.x - across > within_.left && drawn.x + across < within_.right &&
         drawn.y - down > within_.top && drawn.y + down < within_.bottom;
}

bool CoordinateDescent::lies_in(const SingleGaussian& drawn, const Place& place) const {
  if (drawn.top < place.top || drawn.bottom > place.bottom) return false;
  const Columns columns = columns_of(drawn, residual_.width);
  return columns.left >= place.left && columns.right <= place.right;
}

// Evaluates a geometry with its best color, and stores it in `best` if it is better. Returns its
// value, infinite if a file or the place can't hold it. Sets `wanted` to the amplitude class of the
// color that is best without regard to classes.
double CoordinateDescent::consider(QuantizedGaussian gaussian, const Place& place, Choice& best,
                                   int& wanted) const {
  wanted = gaussian.amplitude;
  int64_t columns, rows;
  grid_size(quantizer_, gaussian.precision, columns, rows);
  if (gaussian.x < 0 || gaussian.y < 0 || gaussian.x >= columns || gaussian.y >= rows)
    return HUGE_VAL;
  if (!shapes_.allow(gaussian.shape, gaussian.amplitude)) return HUGE_VAL;
  const Geometry geometry = dequantize_geometry(gaussian);
  if (!lies_in(geometry.drawn, place)) return HUGE_VAL;
  if (!is_within(geometry.drawn)) return HUGE_VAL;
  double sums[5];
  kernels().correlate(residual_, geometry.drawn, sums);
  if (!(sums[residual_.channels] > 1e-6)) return HUGE_VAL;
  const double scale = quantizer_.color_step / (root_pi * geometry.size);
  const double bits = costs_->geometry(place.set, gaussian);
  const double value = lambda_ * bits + best_color(gaussian, place.set, sums, scale, wanted);
  if (value < best.value) best = {gaussian, value, scale * scale * sums[residual_.channels]};
  return value;
}

// Considers the moves of a Gaussian to neighboring integers: of one of them, and then of several at
// once that promise most. `best` is the Gaussian itself before.
void CoordinateDescent::consider_neighbors(const Place& place, Choice& best) const {
  const Choice here = best;
  const QuantizedGaussian& from = here.gaussian;
  const Point center = center_of(quantizer_, from);
  const CenterSteps steps = center_steps(quantizer_, from);
  const auto consider_move = [&](const JointMove& move) {
    QuantizedGaussian moved = from;
    for (int k = 0; k < 3; ++k) moved.shape[k] += move.shape[k];
    const int u = move.center[0], v = move.center[1];
    set_center(quantizer_, moved,
               {center.x + u * steps.column.x + v * steps.point.x,
                center.y + u * steps.column.y + v * steps.point.y});
    int wanted;
    return consider(moved, place, best, wanted);
  };
  SingleMoves singles{};
  for (int k = 0; k < 5; ++k) {
    for (const int way : {-1, 1}) {
      JointMove move{};
      (k < 2 ? move.center[k] : move.shape[k - 2]) = way;
      singles.values[k][way + 1] = consider_move(move) - here.value;
    }
  }
  int wanted;
  for (const int way : {-1, 1}) {
    QuantizedGaussian moved = from;
    if (from.precision + way >= 0 && from.precision + way < precisions) {
      set_precision(quantizer_, moved, from.precision + way);
      consider(moved, place, best, wanted);
    }
    if (from.amplitude + way >= 0 && from.amplitude + way < 16) {
      moved = from;
      set_amplitude(quantizer_, moved, from.amplitude + way);
      consider(moved, place, best, wanted);
    }
  }
  double square = 0;
  for (int k = 0; k < quantizer_.channels; ++k) square += double(from.color[k]) * from.color[k];
  JointMove moves[most_joint_moves];
  const double limit = best.value - here.value + doubt * here.unit;
  const int count = guess_joint_moves(quantizer_, from, square * here.unit, singles, limit, moves);
  for (int i = 0; i < count; ++i) consider_move(moves[i]);
}

// Moves to the best neighbor until none is better, or for max_rounds rounds.
CoordinateDescent::Choice CoordinateDescent::find_best(const QuantizedGaussian& start,
                                                       const Place& place) const {
  Choice best{start, HUGE_VAL, 0};
  int wanted, unused;
  consider(start, place, best, wanted);
  if (wanted != start.amplitude) {
    QuantizedGaussian other = start;
    set_amplitude(quantizer_, other, wanted);
    consider(other, place, best, unused);
  }
  for (int round = 0; round < max_rounds && best.value < HUGE_VAL; ++round) {
    const QuantizedGaussian from = best.gaussian;
    consider_neighbors(place, best);
    if (same_geometry(best.gaussian, from)) break;
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
  const int height = residual_.height, width = residual_.width;
  constexpr size_t count = std::size(cuts);
  std::vector<std::vector<size_t>> bands[count];
  for (size_t k = 0; k < count; ++k)
    bands[k].resize(static_cast<size_t>(cuts[k].bands(height, width)));
  std::vector<size_t> others;  // which lie in no band
  for (size_t i = 0; i < layer.count(); ++i) {
    const int32_t* color = layer.color.data() + static_cast<size_t>(quantizer_.channels) * i;
    if (std::all_of(color, color + quantizer_.channels, [](int32_t c) { return c == 0; })) continue;
    const SingleGaussian drawn =
        dequantize_geometry(read_gaussian(layer, i, quantizer_.channels)).drawn;
    if (drawn.top >= drawn.bottom) continue;
    int band;
    const int cut = find_cut(drawn, width, band);
    if (cut < 0) {
      others.push_back(i);
    } else {
      bands[cut][static_cast<size_t>(band)].push_back(i);
    }
  }
  const FlushDenormals flush;
  for (const size_t i : others) {
    check_interrupt();
    improve(layer, i, {set[i], 0, height, 0, width});
  }
  for (size_t k = 0; k < count; ++k) {
    const Cut& cut = cuts[k];
    parallel(static_cast<int>(bands[k].size()), threads, [&](int band) {
      const FlushDenormals flush_here;
      const int begin = std::max(band * cut.side - cut.shift, 0);
      const int end = std::min((band + 1) * cut.side - cut.shift, cut.length(height, width));
      for (const size_t i : bands[k][static_cast<size_t>(band)]) {
        check_interrupt();
        if (cut.columns) {
          improve(layer, i, {set[i], 0, height, begin, end});
        } else {
          improve(layer, i, {set[i], begin, end, 0, width});
        }
      }
    });
  }
}

}  // namespace gi
