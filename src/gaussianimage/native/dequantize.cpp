// From a layer's integers to what the engine draws.

#include <cmath>
#include <cstring>

#include "layer.h"

namespace gi {
namespace {

// e^x for |x| < 100, by plain arithmetic: the same bits everywhere.
double exp_exact(double x) {
  const double n = std::floor(x * 1.4426950408889634 + 0.5);
  const double r = (x - n * 0.6931471803691238) - n * 1.9082149292705877e-10;
  double p = 1.0 / 6227020800.0;
  for (int k = 12; k >= 0; --k) {
    static constexpr double inverse[] = {1.0,
                                         1.0,
                                         1.0 / 2,
                                         1.0 / 6,
                                         1.0 / 24,
                                         1.0 / 120,
                                         1.0 / 720,
                                         1.0 / 5040,
                                         1.0 / 40320,
                                         1.0 / 362880,
                                         1.0 / 3628800,
                                         1.0 / 39916800,
                                         1.0 / 479001600};
    p = p * r + inverse[k];
  }
  const int64_t bits = (static_cast<int64_t>(n) + 1023) << 52;
  double scale;
  std::memcpy(&scale, &bits, sizeof scale);
  return p * scale;
}

}  // namespace

void dequantize(const Quantizer& quantizer, const Layer& layer, size_t begin, size_t end,
                double* means, double* cholesky, float* colors) {
  const int channels = quantizer.channels;
  for (size_t i = begin; i < end; ++i, means += 2, cholesky += 3, colors += channels) {
    const double cell = static_cast<double>(1 << layer.precision[i]) / 16;
    means[0] = (layer.position[2 * i] + 0.5) * cell;
    means[1] = (layer.position[2 * i + 1] + 0.5) * cell;

    const int32_t* color = layer.color.data() + static_cast<size_t>(channels) * i;
    const double step = shape_step(quantizer, amplitude_class(color, channels));
    const double s = layer.shape[3 * i] * step;
    const double d1 = layer.shape[3 * i + 1] * step, d2 = layer.shape[3 * i + 2] * step;
    // Σ = exp(2 S) for S = [[s + d1, d2], [d2, s - d1]], whose eigenvalues are s ± r:
    // Σ = e^2s (cosh 2r + sinh 2r / r [[d1, d2], [d2, -d1]]), and det Σ = e^4s. The first entry is
    // e^2s (e^2r (r + d1) + e^-2r (r - d1)) / 2r, where nothing cancels if the smaller one of
    // r + d1 and r - d1 comes from their product, d2².
    const double r = std::sqrt(d1 * d1 + d2 * d2);
    const double up = exp_exact(2 * r), down = 1 / up, size = exp_exact(s), area = size * size;
    double xx = 1, slope = 2;
    if (r > 0) {
      const double larger = r + std::fabs(d1), smaller = d2 * d2 / larger;
      const double plus = d1 > 0 ? larger : smaller, minus = d1 > 0 ? smaller : larger;
      xx = (up * plus + down * minus) / (2 * r);
      slope = (up - down) / (2 * r);
    }
    const double l11 = size * std::sqrt(xx);
    cholesky[0] = l11;
    cholesky[1] = area * slope * d2 / l11;
    cholesky[2] = area / l11;

    // Unit energy: a color of norm 1 has ∫ |c|² exp(-2q) = 1, so c = b / (√π e^s).
    const double scale = quantizer.color_step / (1.7724538509055159 * size);
    const double b0 = scale * color[0];
    if (channels < 3) {
      colors[0] = static_cast<float>(b0);
      if (channels == 2) colors[1] = static_cast<float>(scale * color[1]);
      continue;
    }
    // Orthonormal: (1, 1, 1) / √3, (1, 0, -1) / √2, (-1, 2, -1) / √6.
    const double y = b0 * 0.5773502691896258, o = scale * color[1] * 0.7071067811865476;
    const double g = scale * color[2] * 0.4082482904638631;
    colors[0] = static_cast<float>(y + o - g);
    colors[1] = static_cast<float>(y + 2 * g);
    colors[2] = static_cast<float>(y - o - g);
    if (channels == 4) colors[3] = static_cast<float>(scale * color[3]);
  }
}

}  // namespace gi
