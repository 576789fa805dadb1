// The rival of benchmarks/render.py: the rendering equation as one writes it down, with expf.
//
// For every Gaussian, every pixel of the bounding box of its ellipse: q, the comparison with q_max,
// expf, and one multiplication and addition per channel. Single precision, one thread, row by row.
// `rows` says the same in the form that compilers vectorize best: the weights of a row of the box
// first, without a branch, then the sums.

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

namespace {

struct Gaussian {
  float x, y, a, b, c;           // mean; q = a dx² + b dx dy + c dy²
  int left, right, top, bottom;  // of the pixels whose centers its bounding box holds
};

// cholesky: l11, l21, l22 of the covariance.
Gaussian prepare(const double* mean, const double* l, double q_max, int height, int width) {
  const double k = std::sqrt(2 * q_max);
  const double rx = k * l[0], ry = k * std::sqrt(l[1] * l[1] + l[2] * l[2]);
  const double s = -l[1] / l[0], c = 0.5 / (l[2] * l[2]);
  Gaussian g;
  g.x = static_cast<float>(mean[0]);
  g.y = static_cast<float>(mean[1]);
  g.a = static_cast<float>(0.5 / (l[0] * l[0]) + c * s * s);
  g.b = static_cast<float>(2 * c * s);
  g.c = static_cast<float>(c);
  const auto bound = [](double at, int size) {
    return static_cast<int>(std::min(std::max(std::ceil(at - 0.5), 0.0), double(size)));
  };
  g.left = bound(mean[0] - rx, width);
  g.right = bound(mean[0] + rx, width);
  g.top = bound(mean[1] - ry, height);
  g.bottom = bound(mean[1] + ry, height);
  return g;
}

void plain(const Gaussian& g, const float* color, float q_max, int width, float* image) {
  for (int y = g.top; y < g.bottom; ++y) {
    const float dy = y + 0.5f - g.y;
    float* pixel = image + 3 * (static_cast<long>(y) * width + g.left);
    for (int x = g.left; x < g.right; ++x, pixel += 3) {
      const float dx = x + 0.5f - g.x;
      const float q = g.a * dx * dx + g.b * dx * dy + g.c * dy * dy;
      if (q > q_max) continue;
      const float weight = expf(-q);
      for (int k = 0; k < 3; ++k) pixel[k] += weight * color[k];
    }
  }
}

void rows(const Gaussian& g, const float* color, float q_max, int width, float* weights,
          float* image) {
  const int count = g.right - g.left;
  for (int y = g.top; y < g.bottom; ++y) {
    const float dy = y + 0.5f - g.y;
    for (int i = 0; i < count; ++i) {
      const float dx = (g.left + i) + 0.5f - g.x;
      const float q = g.a * dx * dx + g.b * dx * dy + g.c * dy * dy;
      const float weight = expf(-q);
      weights[i] = q > q_max ? 0.0f : weight;
    }
    float* pixel = image + 3 * (static_cast<long>(y) * width + g.left);
    for (int i = 0; i < count; ++i, pixel += 3) {
      for (int k = 0; k < 3; ++k) pixel[k] += weights[i] * color[k];
    }
  }
}

}  // namespace

// Draws `count` Gaussians into `image` (height × width × 3). `by_rows` selects the second form.
extern "C" void naive_floats(const double* means, const double* cholesky, const float* colors,
                             int count, double q_max, int height, int width, int by_rows,
                             float* image) {
  std::fill_n(image, 3L * height * width, 0.0f);
  std::vector<float> weights(width);
  for (int i = 0; i < count; ++i) {
    const Gaussian g = prepare(means + 2L * i, cholesky + 3L * i, q_max, height, width);
    const float* color = colors + 3L * i;
    if (by_rows) {
      rows(g, color, static_cast<float>(q_max), width, weights.data(), image);
    } else {
      plain(g, color, static_cast<float>(q_max), width, image);
    }
  }
}

// The same, clamped and rounded to bytes; `image` is scratch.
extern "C" void naive_bytes(const double* means, const double* cholesky, const float* colors,
                            int count, double q_max, int height, int width, int by_rows,
                            float* image, uint8_t* out) {
  naive_floats(means, cholesky, colors, count, q_max, height, width, by_rows, image);
  for (long i = 0; i < 3L * height * width; ++i) {
    out[i] = static_cast<uint8_t>(std::min(std::max(image[i], 0.0f), 1.0f) * 255.0f + 0.5f);
  }
}

// How many (pixel, Gaussian) pairs are drawn: q <= q_max.
extern "C" long count_pairs(const double* means, const double* cholesky, int count, double q_max,
                            int height, int width) {
  long pairs = 0;
  for (int i = 0; i < count; ++i) {
    const Gaussian g = prepare(means + 2L * i, cholesky + 3L * i, q_max, height, width);
    for (int y = g.top; y < g.bottom; ++y) {
      const float dy = y + 0.5f - g.y;
      for (int x = g.left; x < g.right; ++x) {
        const float dx = x + 0.5f - g.x;
        pairs += g.a * dx * dx + g.b * dx * dy + g.c * dy * dy <= static_cast<float>(q_max);
      }
    }
  }
  return pairs;
}
