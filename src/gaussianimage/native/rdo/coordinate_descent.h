// Coordinate descent in the integers of a file: each Gaussian in turn moves to the neighboring
// integers that lower  error + λ bits  most, or is removed.
#pragma once

#include <cmath>
#include <cstdint>
#include <vector>

#include "base/function_ref.h"
#include "eye/blocks.h"
#include "layer/layer.h"
#include "layer/quantized_gaussian.h"
#include "rdo/single_gaussian.h"
#include "rdo/symbol_costs.h"

namespace gi {

class CoordinateDescent {
 public:
  struct Rectangle {
    double left, top, right, bottom;
  };

  // fill(residual) sets the pixels of `residual`, which is zero: to the picture minus its target,
  // where the picture has all Gaussians, also those to be improved.
  //
  // roots: height × width floats, or null if all are 1: the square root of the weight of a pixel's
  // squared error. The residual has been multiplied by the weights; what is kept and compared, R,
  // is the residual times the roots alone. block_weight: the weight of the squared means of R over
  // blocks of 4 × 4 pixels, beside Σ R².
  CoordinateDescent(const Quantizer& quantizer, double q_max,
                    FunctionRef<void(const TiledResidual&)> fill, const float* roots,
                    double block_weight, int threads);

  // Improves each Gaussian of `layer` once. set[i] is the set of models that the layer of Gaussian
  // i uses. A Gaussian that is not worth its bits gets the color zero.
  //
  // Threads share out bands of rows or columns; Gaussians of different bands do not touch, so the
  // result is the same for every number of threads. After a call that is stopped the object is no
  // longer usable.
  void run_pass(Layer& layer, const uint8_t* set, const SymbolCosts& costs, double lambda,
                int threads);

  // Lets no Gaussian reach out of a rectangle, in pixels; one that has to is removed.
  void keep_within(const Rectangle& rectangle) { within_ = rectangle; }

  int height() const { return quantizer_.height; }
  int width() const { return quantizer_.width; }
  int channels() const { return quantizer_.channels; }

  // Cuts out a block of 16 × 16 pixels of the residual without the roots; see eye/blocks.h.
  void cut_block(int64_t number, Block& block) const;
  // Multiplies the weights of the squared errors in a block of 16 × 16 pixels.
  void weigh_block(int64_t number, double factor);

  // Copies the current R to `out`, height × width × channels floats, row by row.
  void copy_residual(float* out) const;

 private:
  struct Choice {
    QuantizedGaussian gaussian;
    double value;  // Δ error + λ bits against leaving the Gaussian out
    double unit;   // the squared error of a color step
  };
  // The set of models of a Gaussian, and the rows [top, bottom) and columns [left, right) that it
  // may touch.
  struct Place {
    int set, top, bottom, left, right;
  };

  // The geometry of a Gaussian in pixels; `size` is √(σ₁ σ₂).
  struct Geometry {
    SingleGaussian drawn;
    double size;
  };

  // The root of pixel (x, y).
  float* root_of(int y, int x) {
    return roots_.data() + residual_.tile(y, x) * tile_rows * cell_width + residual_.place(y, x, 1);
  }
  const float* root_of(int y, int x) const {
    return const_cast<CoordinateDescent*>(this)->root_of(y, x);
  }
  void divide_by_roots(const float* roots, int first, int last);
  void sum_blocks(int row_of_tiles, int first_strip, int last_strip);
  bool is_within(const SingleGaussian& drawn) const;
  bool lies_in(const SingleGaussian& drawn, const Place& place) const;
  Geometry dequantize_geometry(const QuantizedGaussian& gaussian) const;
  void paint(const QuantizedGaussian& gaussian, double sign);
  double best_color(QuantizedGaussian& gaussian, int set, const double* sums, double scale,
                    int& wanted) const;
  double consider(QuantizedGaussian gaussian, const Place& place, Choice& best, int& wanted) const;
  void consider_neighbors(const Place& place, Choice& best) const;
  Choice find_best(const QuantizedGaussian& start, const Place& place) const;
  void improve(Layer& layer, size_t i, const Place& place);

  Quantizer quantizer_;
  ShapeTables shapes_;
  double q_max_;
  Rectangle within_{-HUGE_VAL, -HUGE_VAL, HUGE_VAL, HUGE_VAL};
  std::vector<float> floats_, roots_, block_sums_;
  TiledResidual residual_;
  const SymbolCosts* costs_ = nullptr;
  double lambda_ = 0;
};

}  // namespace gi
