// One Gaussian alone and the residual that it is compared with, for the encoder's search.
#pragma once

#include <cstddef>
#include <vector>

namespace gi {

// A picture's floats, channel by channel. Rows are padded to whole blocks of 8 pixels.
struct Planes {
  float* data;
  ptrdiff_t stride, plane;  // floats from row to row, and from channel to channel
  int height, width, channels;
  // Factors of a Gaussian at each pixel, in the rows of one channel; null if all are 1.
  const float* roots = nullptr;
  // Sums over the blocks of 4 × 4 pixels of each channel, and the weight of the squared block
  // means; null if that weight is 0. Beyond the picture's edge the blocks hold zeros.
  float* block_sums = nullptr;
  double block_weight = 0;

  ptrdiff_t block_stride() const { return stride / 4; }
  ptrdiff_t block_plane() const { return (height + 3) / 4 * block_stride(); }
};

// The weight exp(-q), q(p) = a dx² + c (dy + s dx)² / 2, where q <= q_max, in rows [top, bottom).
struct SingleGaussian {
  double x, y, a, s, c, q_max;
  int top, bottom;
};

// Makes a SingleGaussian from a mean and the Cholesky factor l11, l21, l22 of a covariance, in
// pixels.
SingleGaussian make_single_gaussian(const double* mean, const double* cholesky, double q_max,
                                    int height);

}  // namespace gi
