// The learned numbers of the paper's models and the Gaussians that they stand for.
//
// The center is `middle` + tanh(x) `reach`. The shape is l11, l21, l22 of the Cholesky factor, or
// two scales and a rotation t with the angle 2π sigmoid(t); `offsets` are added to it.
// gaussianimage/torch/models/sum.py has the same models in PyTorch.
#pragma once

#include <cstddef>

#include "render/gaussians.h"

namespace gi::paper {

struct Parametrization {
  bool rotation = false;  // two scales and a rotation instead of a Cholesky factor
  bool angle = false;     // the rotation is the angle itself
  float offsets[3] = {};
  float middle[2] = {}, reach[2] = {};  // px
};

// A Gaussian's shape in a form that its derivatives need again.
struct ShapeTerms {
  double cholesky[3];   // l11 and l22 may be negative
  double a, b;          // the two scales with their signs
  double cosine, sine;  // of the angle
  double turn;          // sigmoid(t)
};

// The angle in radians of a rotation t, and its derivative.
float rotation_angle(float t);
float rotation_angle_slope(float t);

// Computes the center of a Gaussian in px and tanh(x), from the learned x.
void place(const Parametrization& model, const float* x, double* mean, float* tanh);

// Computes the Cholesky factor of a learned shape.
ShapeTerms shape_terms(const Parametrization& model, const float* shape);

// The gradient by the learned center, from that by the center in px.
void differentiate_center(const Parametrization& model, const float* tanh, const double* by_mean,
                          float* gradient);

// The gradient by the learned shape, from that by the Cholesky factor.
void differentiate_shape(const Parametrization& model, const ShapeTerms& terms,
                         const double* by_cholesky, float* gradient);

}  // namespace gi::paper
