// Adam and Gauss–Newton on the Gaussians of one picture: the loops that fitting runs in.
#pragma once

#include <cstdint>
#include <vector>

#include "render/binning.h"
#include "render/gaussians.h"

namespace gi {

// What of a Gaussian may move.
enum Trainable : uint8_t { train_position = 1, train_covariance = 2, train_color = 4 };

// Step sizes of one iteration. Positions move in units of the Gaussian's own shape, the
// covariance by factors of it, colors in units of the picture's range.
struct Rates {
  float position, covariance, color;
};

// What is added to the loss, in terms of every Gaussian's b² = |color|² π l11 l22:
// ½ energy b² + ½ bits step² ln(1 + b² / step²).
struct Penalty {
  double energy = 0, bits = 0, step = 1;
};

class Optimizer {
 public:
  // target: height × width × channels floats, row by row.
  Optimizer(const float* target, int height, int width, int channels, double q_max, int threads);

  // Lets the squared error of each value count so much, height × width × channels, from 0 to 1.
  void weigh(const float* weights);

  int count() const { return static_cast<int>(age_.size()); }
  int channels() const { return channels_; }
  int height() const { return window_.height; }
  int width() const { return window_.width; }
  int parameters() const { return 5 + channels_; }
  // Iterations done so far. A call that is stopped has done some of its own, and each of them
  // completely; all other calls are stopped without having done anything.
  int64_t steps() const { return steps_; }

  // The Gaussians. Positions and Cholesky factors in double, as everywhere outside the kernels.
  std::vector<double> means, cholesky;
  std::vector<float> colors;
  // Adam's moments, `parameters()` per Gaussian: position 2, covariance 3, color.
  std::vector<float> first, second;
  std::vector<uint8_t>& trainable() { return trainable_; }
  std::vector<uint32_t>& age() { return age_; }

  // Adds Gaussians with fresh moments.
  void add(const double* means, const double* cholesky, const float* colors, int count);
  // Keeps those with keep[i] != 0.
  void keep(const uint8_t* keep);
  // Subtracts the drawing of those with bake[i] != 0 from the target and removes them.
  void bake(const uint8_t* bake);

  // Runs `count` iterations; losses[i] gets ½ Σ (I - T)² before step i. Parameters that a step
  // would make non-finite stay.
  void adam(int count, const Rates* rates, const Penalty& penalty, double* losses);

  // The same by Gauss–Newton steps with momentum; rates are fractions of such a step. It needs far
  // fewer iterations than `adam` where what is to be done is local. `penalty.step` is to be the
  // amplitude b of Gaussians that are as good as not there.
  void gauss_newton(int count, const float* rates, const Penalty& penalty, double* losses);

  // Least squares in the trainable colors, by conjugate gradients with the given ridge (relative
  // to each Gaussian's own energy). Returns ½ Σ (I - T)² after it.
  double solve_colors(int iterations, double ridge);

  // The residual I - T, height × width × channels, row by row; times the weights.
  void residual(float* out);

 private:
  Source source() const;
  void put_in_cells(const float* values, float* cells);
  void erase(const std::vector<uint8_t>& keep);
  template <typename Strips>
  void for_each_strip(Strips&& body);
  template <typename Reduce>
  double pass_over_cells(const float* with_colors, bool subtract_target, Reduce&& reduce);
  double sum_moments(const float* with_colors, bool subtract_target);
  void start_cell(const Binning::Cell& cell, bool subtract_target, float* p) const;
  void multiply_by_roots(const Binning::Cell& cell, float* p) const;
  template <int C>
  void adam_step(size_t i, const Rates& rates, const Penalty& penalty);
  void move(size_t i, const double* step);
  std::vector<double> shares();
  void gauss_newton_step(size_t i, double rate, const Penalty& penalty, double* velocity);
  void step(size_t begin, size_t end, const Rates& rates, const Penalty& penalty);

  Window window_;
  int channels_;
  double q_max_;
  int threads_;
  int64_t steps_ = 0;
  std::vector<float> target_;  // in cells
  std::vector<float> roots_;   // of the weights, in cells; empty if all are 1
  std::vector<uint8_t> trainable_;
  std::vector<uint32_t> age_;
  Binning binning_;
  std::vector<Moments> moments_;
  std::vector<double> sums_;    // moments per Gaussian: g1 g2 g11 g12 g22, colors
  std::vector<double> losses_;  // by strip
};

}  // namespace gi
