// One Gaussian alone and the residual that it is compared with, for the encoder's search.
#pragma once

#include <cstddef>

#include "render/cell_layout.h"

namespace gi {

// Rows of a tile. Sums over blocks of 4 × 4 pixels are sums over half a tile.
constexpr int tile_rows = 4;

// A residual in tiles of 4 rows × 8 columns, strip by strip from the top down. A tile is [row
// pair][channel][2 rows][8 columns], as in render/cell_layout.h, and zero beyond the picture.
struct TiledResidual {
  float* data;
  int height, width, channels;
  // Factors of a Gaussian at each pixel, in tiles of one channel; null if all are 1.
  const float* roots = nullptr;
  // Sums over the blocks of 4 × 4 pixels of each channel, [tile][channel][8]: the left block's sum
  // four times, then the right one's. And the weight of the squared block means; null if that
  // weight is 0.
  float* block_sums = nullptr;
  double block_weight = 0;

  int tiles_down() const { return (height + tile_rows - 1) / tile_rows; }
  int strips() const { return count_strips(width); }
  // The number of the tile that has pixel (x, y), and the place of its first channel in the tile.
  size_t tile(int y, int x) const {
    return static_cast<size_t>(x / cell_width) * static_cast<size_t>(tiles_down()) +
           static_cast<size_t>(y / tile_rows);
  }
  size_t place(int y, int x, int channels_) const {
    return static_cast<size_t>(y % tile_rows / 2 * 16 * channels_ + y % 2 * 8 + x % cell_width);
  }
  size_t tile_floats() const {
    return static_cast<size_t>(tile_rows * cell_width) * static_cast<size_t>(channels);
  }
  // The distance from strip to strip.
  ptrdiff_t strip_floats() const { return tiles_down() * static_cast<ptrdiff_t>(tile_floats()); }
  // The first channel of pixel (x, y); the next channel is 16 values further on.
  float* row(int y, int x) const {
    return data + tile(y, x) * tile_floats() + place(y, x, channels);
  }
};

// The weight exp(-q), where q <= q_max, in rows [top, bottom), of a Gaussian with the Cholesky
// factor l11, l21, l22 of its covariance.
struct SingleGaussian {
  double x, y, l11, l21, l22, q_max;
  int top, bottom;
};

// Makes a SingleGaussian from a mean and a Cholesky factor, in pixels.
SingleGaussian make_single_gaussian(const double* mean, const double* cholesky, double q_max,
                                    int height);

}  // namespace gi
