// Gaussians to pixels, and the gradient of a squared error with respect to the Gaussians.
#pragma once

#include <cstdint>

#include "render/gaussians.h"
#include "render/pixels.h"

namespace gi {

// Bounds on the work of drawing, of a whole window and of the part of it that is drawn.
struct Work {
  uint64_t whole = UINT64_MAX, part = UINT64_MAX;
};

// Draws the sink's part of the window over one color: the same pixels as of the whole
// window, though no other cells are touched. False, and nothing is drawn, when it takes more work
// than `most`.
bool render(Source source, const Window& window, const float* color, const Work& most, int threads,
            const PixelSink& sink);

// A bound on the cost of rendering, see `work_of_gaussian` in simd/kernels.h.
Work work(const Source& source, const Window& window, const Part& part, int threads);

// The derivatives of ½ Σ (I - T)² for a residual I - T (height × width × channels):
// means (n, 2), covariance (n, 3) as xx, xy, yy with xy one parameter, colors (n, channels).
void gradient(const Source& source, const Window& window, int threads, const float* residual,
              double* means, double* covariance, double* colors);

}  // namespace gi
