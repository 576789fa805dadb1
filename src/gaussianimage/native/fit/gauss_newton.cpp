// Gauss–Newton steps with momentum on the Gaussians of one picture.
#include <algorithm>
#include <cmath>
#include <numbers>
#include <vector>

#include "base/interrupt.h"
#include "base/parallel_blocks.h"
#include "base/with_channels.h"
#include "fit/optimizer.h"

namespace gi {
namespace {

// The fraction of a velocity that the next step keeps.
constexpr double momentum = 0.93;

// The largest step of a Gaussian, in units of its own size and color.
constexpr double max_move = 0.15;

// Added to b² in units of penalty.step²: the position and the shape of a very faint Gaussian hardly
// move.
constexpr double damping = 2.0;

}  // namespace

std::vector<double> Optimizer::overlaps() {
  const size_t n = static_cast<size_t>(count()), c = static_cast<size_t>(channels_);
  prepare(source(), true);
  std::vector<float> unit(n * c);
  for (size_t i = 0; i < n; ++i) {
    if (!visible(i)) continue;
    const double* l = cholesky.data() + 3 * i;
    std::fill_n(unit.begin() + static_cast<ptrdiff_t>(i * c), c,
                static_cast<float>(1 / std::sqrt(std::numbers::pi * l[0] * l[2])));
  }
  sum_moments(unit.data(), false);
  std::vector<double> result(n);
  for (size_t i = 0; i < n; ++i) {
    const double row = unit[i * c] * sums_[i * static_cast<size_t>(parameters()) + 5];
    result[i] = std::max(1.0, row);
  }
  return result;
}

// Parameters are those of the local frame, as in `adam`, except that b = c √(π l11 l22) stays
// constant, not the color c, when the shape changes. On the infinite plane the Gauss–Newton matrix
// of a Gaussian with itself is then diagonal: |b|² times ½ for the position and ½, ¼, ½ for l11,
// l21 and l22, and π l11 l22 for the color. Where Gaussians overlap, steps are smaller: the row
// sums of the Gram matrix, ∫ w w' for weights of unit energy, bound its eigenvalues.
void Optimizer::gauss_newton(int count, const float* rates, const Penalty& penalty,
                             double area_price, double* losses) {
  const size_t n = static_cast<size_t>(this->count());
  const size_t width = static_cast<size_t>(parameters());
  for (int iteration = 0; iteration < count; ++iteration) {
    losses[iteration] = sum_moments(colors.data(), true);
    const Interruptible::Scope whole(nullptr);
    parallel_blocks(n, 256, threads_, [&](size_t begin, size_t end) {
      with_channels(channels_, [&](auto c) {
        for (size_t i = begin; i < end; ++i) {
          if (!visible(i)) continue;
          ++age_[i];
          const double overlap = std::max(1.0, double{second[i * width]});
          gauss_newton_step<c>(i, rates[iteration] / overlap, penalty, area_price);
        }
      });
    });
    ++steps_;
  }
}

// Takes one step of Gaussian i. Divisions take most of its time, so reciprocals are shared.
template <int C>
void Optimizer::gauss_newton_step(size_t i, double rate, const Penalty& penalty,
                                  double area_price) {
  constexpr size_t channels = C, width = 5 + channels;
  float* velocity = first.data() + width * i;
  const double* l = cholesky.data() + 3 * i;
  float* color = colors.data() + channels * i;
  const double* sums = sums_.data() + i * width;
  const double before = l[0] * l[2], inverse = 1 / before, area = std::numbers::pi * before;
  const double i1 = l[2] * inverse, i2 = l[0] * inverse;
  double energy = 0, along = 0;
  for (size_t j = 0; j < channels; ++j) {
    energy += area * color[j] * color[j];
    along += 0.5 * sums[5 + j] * color[j];
  }
  const double threshold = penalty.step * penalty.step;
  const double of_energy = 1 / (threshold + energy);
  const double pull = penalty.energy + penalty.bits * threshold * of_energy;
  // The gradient divided by the diagonal of the Gauss–Newton matrix.
  const double of_place = 2 / (energy + damping * threshold), of_color = 1 / (1 + pull);
  // What both logarithms of the diagonal of L change: the area, and the color while b is constant.
  const double of_area = area_price * threshold * area - along;
  double step[width] = {sums[0] * i1 * of_place, sums[1] * i2 * of_place,
                        (sums[2] * i1 * i1 + of_area) * of_place, sums[3] * i1 * i2 * 2 * of_place,
                        (sums[4] * i2 * i2 + of_area) * of_place};
  const double of_sums = inverse * std::numbers::inv_pi;
  for (size_t j = 0; j < channels; ++j) {
    step[5 + j] = (sums[5 + j] * of_sums + pull * color[j]) * of_color;
  }
  double total = 0;
  for (size_t j = 0; j < width; ++j) {
    step[j] = momentum * velocity[j] - rate * step[j];
    total += std::fabs(step[j]);
  }
  if (!(total < 1e15)) return;
  double way = 0, color_way = 0;
  for (size_t j = 0; j < 5; ++j) way = std::max(way, std::fabs(step[j]));
  for (size_t j = 5; j < width; ++j) color_way += step[j] * step[j];
  way = std::max(way, std::sqrt(color_way * area * of_energy));
  const double factor = way > max_move ? max_move / way : 1.0;
  for (size_t j = 0; j < width; ++j) {
    velocity[j] = static_cast<float>(factor * step[j]);
    step[j] = velocity[j];
  }

  move(i, step);
  const uint8_t trainable = trainable_[i];
  if ((trainable & train_covariance) && (trainable & train_color)) {
    const double keep = std::sqrt(before / (l[0] * l[2]));
    for (size_t j = 0; j < channels; ++j) color[j] = static_cast<float>(keep * color[j]);
  }
  if (trainable & train_color) {
    for (size_t j = 0; j < channels; ++j) color[j] += static_cast<float>(step[5 + j]);
  }
}

}  // namespace gi
