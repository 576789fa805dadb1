// Least squares in the colors of the Gaussians, by conjugate gradients.
#include <cmath>
#include <numbers>
#include <vector>

#include "fit/optimizer.h"

namespace gi {

double Optimizer::solve_colors(int iterations, double ridge) {
  const size_t n = static_cast<size_t>(count()), c = static_cast<size_t>(channels_), size = n * c;
  // Solves the normal equations A x = b with A = GᵀG + ridge D, where D is the diagonal of GᵀG. D
  // is also the preconditioner.
  std::vector<double> products(size);
  std::vector<double> x(size), r(size), p(size);
  std::vector<float> direction(size);
  project(colors.data(), true, products);
  std::vector<double> diagonal(size);  // 0: the color is held, or the Gaussian draws nothing
  for (size_t i = 0; i < size; ++i) {
    if (!(trainable_[i / c] & train_color) || !visible(i / c)) continue;
    diagonal[i] = std::numbers::pi * cholesky[3 * (i / c)] * cholesky[3 * (i / c) + 2];
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
    project(direction.data(), false, products);
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
  return project(colors.data(), true, products);
}

}  // namespace gi
