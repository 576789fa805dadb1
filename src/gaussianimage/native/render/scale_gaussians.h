// The same Gaussians at another size.
#pragma once

#include <cstddef>

namespace gi {

// Scales `count` Gaussians (see Source) by sx and sy, in place. Along an axis that gets shorter
// they are averaged over the pixels: (1 - s²) / 6 px² is added to the variance, and the color
// keeps its integral. One that would be too thin to draw without that is not drawn.
void scale_gaussians(double sx, double sy, size_t count, int channels, double* means,
                     double* cholesky, float* colors);

}  // namespace gi
