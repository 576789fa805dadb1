// One Gaussian at a time against a residual: what the encoder weighs single Gaussians by.
#pragma once

#include <cstddef>
#include <vector>

#include "simd/kernels.h"

namespace gi {

// A picture's floats, channel by channel; rows are padded to whole blocks of 8 pixels.
struct Planes {
  float* data;
  ptrdiff_t stride, plane;  // floats from row to row, and from channel to channel
  int height, width, channels;
};

// The weight exp(-q), q(p) = a dx² + c (dy + s dx)² / 2, where q <= q_max, in rows [top, bottom).
struct Patch {
  double x, y, a, s, c, q_max;
  int top, bottom;
};

// A patch from a mean and the Cholesky factor l11, l21, l22 of a covariance, in pixels.
Patch make_patch(const double* mean, const double* cholesky, double q_max, int height);

}  // namespace gi
