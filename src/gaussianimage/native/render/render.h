// Draws Gaussians to pixels, and computes the gradient of a squared error with respect to them.
#pragma once

#include <cstdint>

#include "render/gaussians.h"
#include "render/pixels.h"

namespace gi {

// The work of drawing a whole window, and of the part that is drawn.
struct Work {
  uint64_t whole = UINT64_MAX, part = UINT64_MAX;
};

// Draws the sink's part of the window over one color. The pixels are the same as when the whole
// window is drawn. Returns false and draws nothing if that takes more work than `most`.
bool render(Source source, const Window& window, const float* color, const Work& most, int threads,
            const PixelSink& sink);

// Returns bounds on the work of rendering; see `work_per_gaussian` in render/gaussians.h.
Work work(const Source& source, const Window& window, const Part& part, int threads);

// Computes the derivatives of ½ Σ (I - T)² for a residual I - T (height × width × channels):
// means (n, 2), covariance (n, 3) as xx, xy, yy with xy one parameter, colors (n, channels).
void gradient(const Source& source, const Window& window, int threads, const float* residual,
              double* means, double* covariance, double* colors);

}  // namespace gi
