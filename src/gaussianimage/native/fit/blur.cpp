#include "fit/blur.h"

#include <algorithm>
#include <vector>

#include "base/interrupt.h"

namespace gi {
namespace {

// Keeps a row of running sums, to which it adds rows and from which it subtracts rows.
void blur_columns(const float* from, float* to, ptrdiff_t height, ptrdiff_t width,
                  ptrdiff_t radius) {
  std::vector<double> sums(static_cast<size_t>(width));
  const double share = 1.0 / static_cast<double>(2 * radius + 1);
  const auto row = [&](ptrdiff_t y) {
    return from + std::clamp<ptrdiff_t>(y, 0, height - 1) * width;
  };
  for (ptrdiff_t y = -radius; y <= radius; ++y) {
    const float* added = row(y);
    for (ptrdiff_t x = 0; x < width; ++x) sums[static_cast<size_t>(x)] += double{added[x]};
  }
  for (ptrdiff_t y = 0; y < height; ++y) {
    check_interrupt();
    const float *added = row(y + radius + 1), *taken = row(y - radius);
    float* out = to + y * width;
    for (ptrdiff_t x = 0; x < width; ++x) {
      double& sum = sums[static_cast<size_t>(x)];
      out[x] = static_cast<float>(sum * share);
      sum += double{added[x]} - double{taken[x]};
    }
  }
}

void blur_rows(const float* from, float* to, ptrdiff_t height, ptrdiff_t width, ptrdiff_t radius) {
  const double share = 1.0 / static_cast<double>(2 * radius + 1);
  for (ptrdiff_t y = 0; y < height; ++y) {
    check_interrupt();
    const float* row = from + y * width;
    const auto at = [&](ptrdiff_t x) {
      return double{row[std::clamp<ptrdiff_t>(x, 0, width - 1)]};
    };
    double sum = 0;
    for (ptrdiff_t x = -radius; x <= radius; ++x) sum += at(x);
    for (ptrdiff_t x = 0; x < width; ++x) {
      to[y * width + x] = static_cast<float>(sum * share);
      sum += at(x + radius + 1) - at(x - radius);
    }
  }
}

// The same for small boxes: sums of 2 R + 1 values, which compilers turn into vectors.
template <int R>
void blur_columns_by(const float* from, float* to, ptrdiff_t height, ptrdiff_t width) {
  constexpr float share = 1.0f / (2 * R + 1);
  for (ptrdiff_t y = 0; y < height; ++y) {
    check_interrupt();
    const float* rows[2 * R + 1];
    for (int i = 0; i <= 2 * R; ++i) {
      rows[i] = from + std::clamp<ptrdiff_t>(y + i - R, 0, height - 1) * width;
    }
    float* out = to + y * width;
    for (ptrdiff_t x = 0; x < width; ++x) {
      float sum = rows[0][x];
      for (int i = 1; i <= 2 * R; ++i) sum += rows[i][x];
      out[x] = share * sum;
    }
  }
}

template <int R>
void blur_rows_by(const float* from, float* to, ptrdiff_t height, ptrdiff_t width) {
  constexpr float share = 1.0f / (2 * R + 1);
  for (ptrdiff_t y = 0; y < height; ++y) {
    check_interrupt();
    const float* row = from + y * width;
    float* out = to + y * width;
    const auto at_edge = [&](ptrdiff_t x) {
      float sum = 0;
      for (ptrdiff_t i = x - R; i <= x + R; ++i) sum += row[std::clamp<ptrdiff_t>(i, 0, width - 1)];
      out[x] = share * sum;
    };
    const ptrdiff_t begin = std::min<ptrdiff_t>(R, width), end = std::max(begin, width - R);
    for (ptrdiff_t x = 0; x < begin; ++x) at_edge(x);
    for (ptrdiff_t x = begin; x < end; ++x) {
      float sum = row[x - R];
      for (int i = 1 - R; i <= R; ++i) sum += row[x + i];
      out[x] = share * sum;
    }
    for (ptrdiff_t x = end; x < width; ++x) at_edge(x);
  }
}

}  // namespace

void box_blur(float* values, ptrdiff_t height, ptrdiff_t width, ptrdiff_t radius, int passes) {
  const size_t size = static_cast<size_t>(height * width);
  std::vector<float> other(size);
  float *from = values, *to = other.data();
  for (int pass = 0; pass < 2 * passes; ++pass) {
    const bool columns = pass < passes;
    if (radius == 1) {
      (columns ? blur_columns_by<1> : blur_rows_by<1>)(from, to, height, width);
    } else if (radius == 2) {
      (columns ? blur_columns_by<2> : blur_rows_by<2>)(from, to, height, width);
    } else {
      (columns ? blur_columns : blur_rows)(from, to, height, width, radius);
    }
    std::swap(from, to);
  }
}

}  // namespace gi
