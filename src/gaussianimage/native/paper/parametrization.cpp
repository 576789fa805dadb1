#include "paper/parametrization.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace gi::paper {
namespace {

// Squares of lengths below this, in px², have no usable derivative of their root.
constexpr double least_square = 1e-12;

constexpr float turn = static_cast<float>(2 * std::numbers::pi);

float sigmoid(float t) { return 1 / (1 + std::exp(-t)); }

double sign(double x) { return x > 0 ? 1 : x < 0 ? -1 : 0; }

}  // namespace

float rotation_angle(float t) { return sigmoid(t) * turn; }

float rotation_angle_slope(float t) {
  const float part = sigmoid(t);
  return turn * part * (1 - part);
}

void place(const Parametrization& model, const float* x, double* mean, float* tanh) {
  for (int j = 0; j < 2; ++j) {
    tanh[j] = std::tanh(x[j]);
    mean[j] = model.middle[j] + tanh[j] * model.reach[j];
  }
}

ShapeTerms shape_terms(const Parametrization& model, const float* shape) {
  ShapeTerms terms{};
  if (!model.rotation) {
    for (int j = 0; j < 3; ++j) terms.cholesky[j] = shape[j] + model.offsets[j];
    return terms;
  }
  terms.a = shape[0] + model.offsets[0];
  terms.b = shape[1] + model.offsets[1];
  terms.turn = model.angle ? 0 : sigmoid(shape[2] + model.offsets[2]);
  const float angle = model.angle ? shape[2] : rotation_angle(shape[2] + model.offsets[2]);
  terms.cosine = std::cos(angle);
  terms.sine = std::sin(angle);
  const double s1 = std::fabs(terms.a), s2 = std::fabs(terms.b);
  const double c = terms.cosine, s = terms.sine;
  const double l11 = std::sqrt(std::max(c * c * s1 * s1 + s * s * s2 * s2, least_square));
  terms.cholesky[0] = static_cast<float>(l11);
  terms.cholesky[1] = static_cast<float>(c * s * (s1 + s2) * (s1 - s2) / l11);
  terms.cholesky[2] = static_cast<float>(s1 * s2 / l11);
  return terms;
}

void differentiate_center(const Parametrization& model, const float* tanh, const double* by_mean,
                          float* gradient) {
  for (int j = 0; j < 2; ++j) {
    const float by_tanh = static_cast<float>(by_mean[j]) * model.reach[j];
    gradient[j] = by_tanh * (1 - tanh[j] * tanh[j]);
  }
}

void differentiate_shape(const Parametrization& model, const ShapeTerms& terms,
                         const double* by_cholesky, float* gradient) {
  if (!model.rotation) {
    for (int j = 0; j < 3; ++j) gradient[j] = static_cast<float>(by_cholesky[j]);
    return;
  }
  // With the angle's cosine c and sine s: l11² = c² s1² + s² s2², l21 = c s (s1² - s2²) / l11 and
  // l22 = s1 s2 / l11.
  const double s1 = std::fabs(terms.a), s2 = std::fabs(terms.b);
  const double c = terms.cosine, s = terms.sine;
  const double square = c * c * s1 * s1 + s * s * s2 * s2;
  const double l11 = std::sqrt(std::max(square, least_square));
  const double difference = (s1 + s2) * (s1 - s2);
  const double l21 = c * s * difference / l11, l22 = s1 * s2 / l11;
  const double by_l11 = by_cholesky[0] - (by_cholesky[1] * l21 + by_cholesky[2] * l22) / l11;
  const double by_square = square >= least_square ? by_l11 / (2 * l11) : 0;
  const double by_numerator = by_cholesky[1] / l11, by_product = by_cholesky[2] / l11;
  const double by_s1 = 2 * s1 * (by_square * c * c + by_numerator * c * s) + by_product * s2;
  const double by_s2 = 2 * s2 * (by_square * s * s - by_numerator * c * s) + by_product * s1;
  const double by_cosine = 2 * by_square * c * s1 * s1 + by_numerator * s * difference;
  const double by_sine = 2 * by_square * s * s2 * s2 + by_numerator * c * difference;
  const double by_angle = by_sine * c - by_cosine * s;
  gradient[0] = static_cast<float>(by_s1 * sign(terms.a));
  gradient[1] = static_cast<float>(by_s2 * sign(terms.b));
  gradient[2] =
      static_cast<float>(model.angle ? by_angle : by_angle * turn * terms.turn * (1 - terms.turn));
}

}  // namespace gi::paper
