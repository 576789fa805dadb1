// Pictures kept in cells: row-by-row floats into the layout of simd/kernels.h.
#pragma once

#include <cstddef>

namespace gi {

// rows × columns × channels floats at `in` (rows `stride` floats apart) into a cell; the rest of
// its last row pair and of its 8 columns is set to zero.
inline void from_floats(const float* in, ptrdiff_t stride, int channels, int rows, int columns,
                        float* cell) {
  for (int y = 0; y < (rows + 1) / 2 * 2; ++y, in += stride) {
    float* p = cell + static_cast<ptrdiff_t>(y >> 1) * (channels * 16) + (y & 1) * 8;
    for (int k = 0; k < channels; ++k) {
      for (int x = 0; x < 8; ++x) {
        p[16 * k + x] = y < rows && x < columns ? in[x * channels + k] : 0.0f;
      }
    }
  }
}

}  // namespace gi
