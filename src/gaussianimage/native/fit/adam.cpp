#include <cmath>
#include <numbers>

#include "base/interrupt.h"
#include "base/parallel_blocks.h"
#include "base/with_channels.h"
#include "fit/optimizer.h"

namespace gi {
namespace {

// Adam's decay rates. Its memories are shorter than usual, because runs have a few hundred
// iterations.
constexpr float decay1 = 0.85f;
constexpr float decay2 = 0.96f;
constexpr float epsilon = 1e-8f;

// The factors that correct Adam's moments while they are means of few gradients.
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
  // From age `last` on, the factors are 1 to the last bit.
  Pair at(uint32_t age) const { return age < last ? pairs_[age] : Pair{1, 1}; }

 private:
  static constexpr uint32_t last = 1024;
  Pair pairs_[last] = {};
};

const Corrections corrections;

}  // namespace

void Optimizer::adam(int count, const Rates* rates, const Penalty& penalty, double* losses) {
  for (int iteration = 0; iteration < count; ++iteration) {
    losses[iteration] = sum_moments(colors.data(), true);
    const Interruptible::Scope whole(nullptr);
    parallel_blocks(static_cast<size_t>(this->count()), 256, threads_,
                    [&](size_t begin, size_t end) {
                      with_channels(channels_, [&](auto c) {
                        for (size_t i = begin; i < end; ++i)
                          adam_step<c>(i, rates[iteration], penalty);
                      });
                    });
    ++steps_;
  }
}

// Takes one Adam step of Gaussian i. The gradient is taken with respect to a change of the Gaussian
// in its own frame, μ += L m and L ← L (I + Δ) with Δ lower triangular. So every rate is relative
// to the Gaussian's size and shape, and the derivatives are the whitened moments themselves.
template <int C>
void Optimizer::adam_step(size_t i, const Rates& rates, const Penalty& penalty) {
  // A Gaussian that draws nothing has no gradient, and the bounds in `move` must not make it
  // visible.
  if (!visible(i)) return;
  constexpr size_t channels = C, width = 5 + channels;
  const double* l = cholesky.data() + 3 * i;
  float* color = colors.data() + channels * i;
  const double i1 = 1 / l[0], i2 = 1 / l[2];
  const double* sums = sums_.data() + i * width;
  double gradient[width] = {sums[0] * i1, sums[1] * i2, sums[2] * i1 * i1, sums[3] * i1 * i2,
                            sums[4] * i2 * i2};
  const double area = std::numbers::pi * l[0] * l[2];
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

}  // namespace gi
