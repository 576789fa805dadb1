// Adam and Gauss–Newton on the Gaussians of one picture: the loops of fitting.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "base/aligned_vector.h"
#include "fit/coarse_grids.h"
#include "fit/residual_pass.h"
#include "render/binning.h"
#include "render/gaussians.h"

namespace gi {

// The parameters of a Gaussian that may change.
enum Trainable : uint8_t { train_position = 1, train_covariance = 2, train_color = 4 };

// The step sizes of one iteration. Positions move in units of the Gaussian's own shape, covariances
// change by factors, and colors in units of the picture's range.
struct Rates {
  float position, covariance, color;
};

// A penalty that is added to the loss for each Gaussian, with b² = |color|² π l11 l22:
// ½ energy b² + ½ bits step² ln(1 + b² / step²).
struct Penalty {
  double energy = 0, bits = 0, step = 1;
};

class Optimizer {
 public:
  // target: height × width × channels floats, row by row.
  Optimizer(const float* target, int height, int width, int channels, double q_max, int threads);

  // Whether `adam` and `gauss_newton` draw large Gaussians on coarser grids, see
  // fit/coarse_grids.h. Everything else is exact. False at first.
  bool coarse() const { return grids_ != nullptr; }
  void set_coarse(bool coarse);

  // Sets the weight of each value's squared error: height × width × channels weights from 0 on, or
  // with `channels` 1 those of all channels of a pixel.
  void weigh(const float* weights, int channels);

  // The weight β of the squared means over blocks of 4 × 4 pixels. The loss is
  // ½ (Σ q² + β Σ mean(q)²), where q is the residual times the roots of the weights and each pixel
  // has the mean of its block. 0 at first.
  double block_weight() const { return block_weight_; }
  void set_block_weight(double weight) { block_weight_ = weight; }

  // Lets the drawing exceed the target by up to `room` without an error where a decoder clamps it:
  // upward where `sides` is 1, downward where it is −1, height × width × channels.
  void allow_beyond(const int8_t* sides, float room);

  int count() const { return static_cast<int>(age_.size()); }
  int channels() const { return channels_; }
  int height() const { return window_.height; }
  int width() const { return window_.width; }
  int parameters() const { return 5 + channels_; }
  // The iterations done so far. A call of `adam` or `gauss_newton` that is stopped has done some
  // complete iterations; other calls that are stopped have changed nothing.
  int64_t steps() const { return steps_; }

  // The Gaussians. Positions and Cholesky factors are doubles, as everywhere outside the kernels.
  std::vector<double> means, cholesky;
  std::vector<float> colors;
  // What the steps remember, `parameters()` per Gaussian: 2 of position, 3 of covariance, then of
  // color. They are Adam's moments. For `gauss_newton`, `first` has the velocities and each column
  // of `second` the overlaps.
  std::vector<float> first, second;
  std::vector<uint8_t>& trainable() { return trainable_; }
  std::vector<uint32_t>& age() { return age_; }

  // Makes room for a number of Gaussians at once, because vectors that grow step by step leave
  // holes in the heap.
  void reserve(int count);
  // Adds Gaussians with fresh moments.
  void add(const double* means, const double* cholesky, const float* colors, int count);
  // Removes the Gaussians with keep[i] == 0.
  void keep(const uint8_t* keep);
  // Draws the Gaussians with bake[i] != 0, subtracts the drawing from the target, and removes them.
  void bake(const uint8_t* bake);

  // Runs `count` iterations of Adam; losses[i] gets ½ Σ (I - T)² before step i. A Gaussian whose
  // step is not finite stays as it is.
  void adam(int count, const Rates* rates, const Penalty& penalty, double* losses);

  // Runs `count` Gauss–Newton steps with momentum; rates are fractions of a full step. Where the
  // necessary changes are local, it needs far fewer iterations than `adam`. `penalty.step` is the
  // amplitude b of a negligible Gaussian. area_price step² π l11 l22 is added to the loss for each
  // Gaussian, because a decoder draws every pixel of it.
  void gauss_newton(int count, const float* rates, const Penalty& penalty, double area_price,
                    double* losses);

  // Computes the overlap of each Gaussian with all: the sum of its row of the Gram matrix of
  // Gaussians of unit energy; 1 for a Gaussian that overlaps no other or draws nothing.
  std::vector<double> overlaps();

  // Solves least squares in the trainable colors by conjugate gradients. The ridge is relative to
  // each Gaussian's own energy. Returns the resulting ½ Σ (I - T)².
  double solve_colors(int iterations, double ridge);

  // Computes the residual I - T times the weights, height × width × channels, row by row.
  void residual(float* out);
  // Computes maps of that residual, height × width: the sum of the magnitudes of a pixel's
  // channels, and the sum of the channels times their parts.
  void residual_magnitudes(float* out);
  void residual_sums(const float* parts, float* out);
  // Computes that residual at `count` pixels, which are numbered row by row: count × channels.
  void residual_at(const int64_t* pixels, size_t count, float* out);
  // Computes that residual in strips that are `stride` floats apart, laid out as cells one below
  // the other (render/cell_layout.h). What lies outside of the picture is left as it is.
  void residual_in_strips(ptrdiff_t stride, float* out);

 private:
  Source source() const;
  CoarseGrids* prepare(const Source& source, bool coarse);
  bool visible(size_t i) const;
  template <typename Take>
  void for_each_cell(Take&& take);
  void put_in_cells(const float* values, int channels, float* cells);
  void erase(const std::vector<uint8_t>& keep);
  template <typename Strips>
  void for_each_strip(Strips&& body);
  void free_scratch();
  template <typename Take>
  void for_each_residual(Take&& take);
  template <typename Reduce>
  void map_residual(float* out, Reduce&& reduce);
  template <typename Reduce>
  double pass_over_cells(const float* with_colors, bool subtract_target, bool coarse,
                         Reduce&& reduce);
  double sum_moments(const float* with_colors, bool subtract_target);
  double project(const float* with_colors, bool subtract_target, std::vector<double>& products);
  void forgive(const Binning::Cell& cell, float* p) const;
  void start_cell(const Binning::Cell& cell, bool subtract_target, float* p) const;
  const float* roots(const Binning::Cell& cell) const;
  void multiply_by_weights(const Binning::Cell& cell, float* p) const;
  template <int C>
  void adam_step(size_t i, const Rates& rates, const Penalty& penalty);
  void move(size_t i, const double* step);
  template <int C>
  void gauss_newton_step(size_t i, double rate, const Penalty& penalty, double area_price);

  Window window_;
  int channels_;
  double q_max_;
  int threads_;
  int64_t steps_ = 0;
  AlignedVector<float> target_;  // in cells
  // The square roots of the weights, in cells of one channel if they are the same in all channels.
  // A third of the memory takes a third of the time to read.
  AlignedVector<float> roots_;
  int root_channels_ = 0;  // 0: all weights are 1
  double block_weight_ = 0;
  AlignedVector<int8_t> sides_;  // in cells; empty: nothing is allowed beyond the target
  float room_ = 0;
  std::vector<uint8_t> trainable_;
  std::vector<uint32_t> age_;
  Binning binning_;
  std::unique_ptr<CoarseGrids> grids_;  // null: every Gaussian is drawn at every pixel
  bool prepared_coarse_ = false;        // whether the last `prepare` has used them
  PassMemory memory_;
  std::vector<double> sums_;  // moments per Gaussian: g1 g2 g11 g12 g22, colors
};

}  // namespace gi
