// Maps of where a picture needs Gaussians.
#pragma once

#include <cstddef>

namespace gi {

// The magnitude of the gradient of the channels' mean at each pixel: half the differences of its
// neighbors, and at an edge the difference from the one neighbor.
void measure_gradient(const float* values, ptrdiff_t height, ptrdiff_t width, int channels,
                      int threads, float* magnitudes);

}  // namespace gi
