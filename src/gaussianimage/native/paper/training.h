// The training of the GaussianImage paper: sums of Gaussians with learned numbers, a clamped
// picture, a squared error, and Adan. All of an iteration happens here, so that one call does many.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

#include "fit/residual_pass.h"
#include "paper/parameter.h"
#include "paper/parametrization.h"
#include "paper/quantizers.h"
#include "paper/released_code.h"
#include "render/binning.h"

namespace gi::paper {

// The learned numbers to start from: means (count, 2), shapes (count, 3), colors (count, channels).
struct Start {
  const float* means;
  const float* shapes;
  const float* colors;
  size_t count;
};

class Training {
 public:
  // target: height × width × channels floats, row by row, from 0 to 1.
  Training(const float* target, int height, int width, int channels, const Parametrization& model,
           const Start& start, double q_max, int threads);

  Training(const Training&) = delete;
  Training& operator=(const Training&) = delete;

  // Does from now on what the released code does otherwise.
  void follow(const ReleasedCode& released);

  // Quantizes from now on: centers as numbers of half precision, shapes by learned steps.
  void quantize_shapes(int most, float factor, const float* scale, const float* beta);
  // Colors likewise by learned steps, or by codebooks.
  void quantize_colors(int most, float factor, const float* scale, const float* beta);
  void quantize_colors(Codebooks codebooks, bool commitment);

  // Runs `count` iterations; errors[i] gets the mean squared error of the clamped picture before
  // step i. With quantizers, the numbers with the least error are kept as the best. A call that is
  // stopped has done some complete iterations.
  void run(int count, const double* rates, double* errors);

  // Returns the mean squared error of the picture, and keeps the numbers if it is the least.
  double measure();

  // Computes the gradients of the mean squared error and the commitment. Returns the former.
  double differentiate();

  int64_t steps = 0;
  double best_error;
  std::deque<Parameter> parameters;  // means, shape, colors, and those of quantizers
  std::optional<Codebooks> codebooks;

  int channels() const { return channels_; }

 private:
  size_t count() const { return parameters[0].rows(); }
  bool quantizes() const { return shape_quantizer_.has_value(); }
  void quantize();
  void make_gaussians();
  double pass();
  void differentiate_numbers();
  void keep_if_best(double error);
  void step(double rate);

  Window window_;
  int channels_;
  Parametrization model_;
  double q_max_;
  int threads_;
  std::optional<UniformColumns> shape_quantizer_, color_quantizer_;
  bool commitment_ = false;
  ReleasedCode released_;
  std::optional<TileCut> tile_cut_;
  Binning binning_;
  PassMemory memory_;
  std::vector<float> target_;  // in cells
  float each_ = 0;  // the derivative of the mean squared error by half a squared residual
  // What is drawn, and what its gradient needs again.
  std::vector<float> means_, shapes_, colors_;  // the learned numbers as a decoder restores them
  std::vector<float> tanh_;
  std::vector<ShapeTerms> terms_;
  std::vector<double> centers_, cholesky_;  // diagonals above 0, or 0
  std::vector<double> sums_;                // moments of each Gaussian: g1 g2 g11 g12 g22, colors
};

}  // namespace gi::paper
