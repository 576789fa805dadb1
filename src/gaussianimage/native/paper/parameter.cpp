#include "paper/parameter.h"

#include <cmath>
#include <utility>

namespace gi::paper {
namespace {

// The decays of the three means, and what is added to the root of the mean square.
constexpr double beta1 = 0.98, beta2 = 0.92, beta3 = 0.99;
constexpr float epsilon = 1e-8f;

}  // namespace

AdanStep::AdanStep(double rate, int64_t step) {
  const double n = static_cast<double>(step);
  mean = static_cast<float>(rate / (1 - std::pow(beta1, n)));
  difference = static_cast<float>(rate * beta2 / (1 - std::pow(beta2, n)));
  square = static_cast<float>(1 / std::sqrt(1 - std::pow(beta3, n)));
}

Parameter::Parameter(std::string name, size_t columns, const float* values, size_t rows)
    : name(std::move(name)), columns(columns), value(values, values + rows * columns) {
  for (std::vector<float>* zeros : {&gradient, &mean, &difference, &square, &previous}) {
    zeros->assign(value.size(), 0.0f);
  }
  best = value;
}

// The operations and their order are those of the optimizer in PyTorch.
void Parameter::step(const AdanStep& factors, bool first, size_t begin, size_t end) {
  constexpr float weight1 = static_cast<float>(1 - beta1), weight2 = static_cast<float>(1 - beta2);
  constexpr float weight3 = static_cast<float>(1 - beta3);
  constexpr float decay2 = static_cast<float>(beta2), decay3 = static_cast<float>(beta3);
  const float* const g = gradient.data();
  float* const __restrict x = value.data();
  float* const __restrict m = mean.data();
  float* const __restrict v = difference.data();
  float* const __restrict n = square.data();
  float* const __restrict before = previous.data();
  for (size_t i = begin; i < end; ++i) {
    const float change = first ? 0.0f : g[i] - before[i];
    before[i] = g[i];
    m[i] += weight1 * (g[i] - m[i]);
    v[i] += weight2 * (change - v[i]);
    const float ahead = g[i] + decay2 * change;
    n[i] = n[i] * decay3 + weight3 * ahead * ahead;
    const float update = m[i] * factors.mean + v[i] * factors.difference;
    x[i] -= update / (std::sqrt(n[i]) * factors.square + epsilon);
  }
}

}  // namespace gi::paper
