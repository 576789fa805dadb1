// Gaussians to pixels, and the gradient of a squared error with respect to the Gaussians.
#pragma once

#include <cstdint>

#include "kernels.h"

namespace gi {

// out: height × width × channels of the window, row by row.
void render_bytes(const Source& source, const Window& window, int threads, uint8_t* out);

// The same over a background color. False, and nothing is drawn, when `work` is above `most_work`.
bool render_bytes(const Source& source, const Window& window, const float* background,
                  uint64_t most_work, int threads, uint8_t* out);
void render_floats(const Source& source, const Window& window, int threads, float* out);

// A bound on the cost of rendering: for each drawable Gaussian the strips times the rows of its
// bounding box within the window, summed.
uint64_t work(const Source& source, const Window& window, int threads);

// The derivatives of ½ Σ (I - T)² for a residual I - T (height × width × channels):
// means (n, 2), covariance (n, 3) as xx, xy, yy with xy one parameter, colors (n, channels).
void gradient(const Source& source, const Window& window, int threads, const float* residual,
              double* means, double* covariance, double* colors);

}  // namespace gi
