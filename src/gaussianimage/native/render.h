// Gaussians to pixels, and the gradient of a squared error with respect to the Gaussians.
#pragma once

#include <cstdint>

#include "kernels.h"
#include "pixels.h"

namespace gi {

// Draws the sink's part of the window over one color: the same pixels as of the whole
// window, though no other cells are touched. False, and nothing is drawn, when `work` is above
// `most_work`.
bool render(Source source, const Window& window, const float* color, uint64_t most_work,
            int threads, const PixelSink& sink);

// A bound on the cost of rendering: for each drawable Gaussian the strips times the rows of its
// bounding box within the window, summed.
uint64_t work(const Source& source, const Window& window, int threads);

// The derivatives of ½ Σ (I - T)² for a residual I - T (height × width × channels):
// means (n, 2), covariance (n, 3) as xx, xy, yy with xy one parameter, colors (n, channels).
void gradient(const Source& source, const Window& window, int threads, const float* residual,
              double* means, double* covariance, double* colors);

}  // namespace gi
