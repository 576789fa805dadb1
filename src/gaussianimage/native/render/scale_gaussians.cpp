#include "render/scale_gaussians.h"

#include <algorithm>
#include <cmath>

#include "base/interrupt.h"

namespace gi {
namespace {

// Scales one Gaussian. Its variance grows by fx and fy where the picture shrinks.
void scale_one(double sx, double sy, double fx, double fy, int channels, double* mean,
               double* cholesky, float* color) {
  mean[0] *= sx;
  mean[1] *= sy;
  const double l11 = cholesky[0] * sx, l21 = cholesky[1] * sy, l22 = cholesky[2] * sy;
  cholesky[0] = l11;
  cholesky[1] = l21;
  cholesky[2] = l22;
  if (!(fx > 0 || fy > 0)) return;
  if (!(l11 > 1e-6 && l22 > 1e-6)) {  // too thin for is_drawable
    cholesky[0] = 0;
    return;
  }
  // The factor of L Lᵀ + diag(fx, fy); nothing cancels.
  const double xx = l11 * l11 + fx, m11 = std::sqrt(xx);
  const double m22 = std::sqrt(l22 * l22 + fy + l21 * l21 * (fx / xx));
  cholesky[0] = m11;
  cholesky[1] = l11 * l21 / m11;
  cholesky[2] = m22;
  const double fade = (l11 / m11) * (l22 / m22);
  for (int k = 0; k < channels; ++k) color[k] = static_cast<float>(color[k] * fade);
}

}  // namespace

void scale_gaussians(double sx, double sy, size_t count, int channels, double* means,
                     double* cholesky, float* colors) {
  const double fx = std::max(0.0, 1 - sx * sx) / 6, fy = std::max(0.0, 1 - sy * sy) / 6;
  for_many(count, [&](size_t i) {
    scale_one(sx, sy, fx, fy, channels, means + 2 * i, cholesky + 3 * i,
              colors + static_cast<size_t>(channels) * i);
  });
}

}  // namespace gi
