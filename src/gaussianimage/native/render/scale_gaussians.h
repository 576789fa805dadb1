// Scales Gaussians to another size of the picture.
#pragma once

#include <cstddef>

namespace gi {

// Scales `count` Gaussians (see Source) by sx and sy, in place. Along an axis that gets shorter
// they are averaged over the pixels: the variance grows by (1 - s²) / 6 px², and the color keeps
// its integral. A Gaussian that would be too thin to draw without that is not drawn.
void scale_gaussians(double sx, double sy, size_t count, int channels, double* means,
                     double* cholesky, float* colors);

}  // namespace gi
