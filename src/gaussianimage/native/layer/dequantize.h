// From the integers of a file to covariances and colors: the decoder's formulas, which the
// encoder's search uses as well.
#pragma once

#include <cmath>
#include <cstddef>

#include "layer/layer.h"

namespace gi {

constexpr double root_pi = 1.7724538509055159;

// Red, green and blue in the orthonormal basis of the coded colors.
constexpr double rgb_basis[3][3] = {{0.5773502691896258, 0.5773502691896258, 0.5773502691896258},
                                    {0.7071067811865476, 0.0, -0.7071067811865476},
                                    {-0.4082482904638631, 0.8164965809277261, -0.4082482904638631}};

// The Cholesky factor of a covariance.
struct Factor {
  double l11, l21, l22;
};

// Returns the Cholesky factor of Σ = exp(2 S) for S = [[s + d1, d2], [d2, s - d1]], whose
// eigenvalues are s ± r; `up` is e^2r and `size` e^s.
//
// Σ = e^2s (cosh 2r + sinh 2r / r [[d1, d2], [d2, -d1]]), and det Σ = e^4s. The first entry is
// e^2s (e^2r (r + d1) + e^-2r (r - d1)) / 2r. The smaller one of r + d1 and r - d1 is computed from
// their product, d2², so nothing cancels. There are no branches, so that loops of it become
// vectors. Always inlined, because several instruction sets compile it.
__attribute__((always_inline)) inline Factor make_factor(double d1, double d2, double r, double up,
                                                         double size) {
  const double down = 1 / up, area = size * size;
  const double larger = r > 0 ? r + std::fabs(d1) : 1, smaller = d2 * d2 / larger;
  const double plus = d1 > 0 ? larger : smaller, minus = d1 > 0 ? smaller : larger;
  const double both = r > 0 ? 2 * r : 1;
  const double xx = r > 0 ? (up * plus + down * minus) / both : 1;
  const double slope = r > 0 ? (up - down) / both : 2;
  const double l11 = size * std::sqrt(xx);
  return {l11, area * slope * d2 / l11, area / l11};
}

// Converts a layer to means, Cholesky factors and colors as the engine takes them, on up to
// `threads` threads. The numbers are the same on every machine.
void dequantize(const Quantizer& quantizer, const Layer& layer, int threads, double* means,
                double* cholesky, float* colors);

}  // namespace gi
