#include "fit/blur.h"

#include <algorithm>
#include <vector>

#include "base/interrupt.h"
#include "fit/blur_tile.h"

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

// Blurs twice with a box of side 2 R + 1, tile by tile.
template <int R>
void blur_twice(const float* from, float* to, ptrdiff_t height, ptrdiff_t width, int threads) {
  for_tiles(height, width, threads, [&](const MapTile& tile) {
    blur_tile<R, 2>(
        height, width, tile,
        [&](ptrdiff_t y, ptrdiff_t left, ptrdiff_t right, float* row) {
          std::copy(from + y * width + left, from + y * width + right, row);
        },
        [&](ptrdiff_t y, const float* row) {
          std::copy_n(row, tile.width(), to + y * width + tile.left);
        });
  });
}

}  // namespace

void box_blur(const float* from, float* to, ptrdiff_t height, ptrdiff_t width, ptrdiff_t radius,
              int passes, int threads) {
  if (passes == 2 && radius == 1) return blur_twice<1>(from, to, height, width, threads);
  if (passes == 2 && radius == 2) return blur_twice<2>(from, to, height, width, threads);
  std::vector<float> other(from, from + height * width), blurred(other.size());
  for (int pass = 0; pass < 2 * passes; ++pass) {
    (pass < passes ? blur_columns : blur_rows)(other.data(), blurred.data(), height, width, radius);
    std::swap(other, blurred);
  }
  std::copy(other.begin(), other.end(), to);
}

}  // namespace gi
