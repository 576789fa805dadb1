#include "eye/eye_weights.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

#include "base/parallel_blocks.h"
#include "base/with_channels.h"
#include "fit/blur_tile.h"

namespace gi {
namespace {

constexpr size_t values_per_task = 16384;
constexpr int radius = 1, passes = 3;

// The variance around each pixel of a tile. value(i) is the value of pixel i.
template <typename Value>
void variance_of_tile(ptrdiff_t height, ptrdiff_t width, const MapTile& tile, Value&& value,
                      float* variance) {
  const auto row_of = [&](ptrdiff_t y) { return variance + (y - tile.top) * tile.width(); };
  blur_tile<radius, passes>(
      height, width, tile,
      [&](ptrdiff_t y, ptrdiff_t left, ptrdiff_t right, float* row) {
        for (ptrdiff_t i = y * width + left; i < y * width + right; ++i) {
          const float v = value(i);
          *row++ = v * v;
        }
      },
      [&](ptrdiff_t y, const float* row) { std::copy_n(row, tile.width(), row_of(y)); });
  blur_tile<radius, passes>(
      height, width, tile,
      [&](ptrdiff_t y, ptrdiff_t left, ptrdiff_t right, float* row) {
        for (ptrdiff_t i = y * width + left; i < y * width + right; ++i) *row++ = value(i);
      },
      [&](ptrdiff_t y, const float* mean) {
        float* const out = row_of(y);
        for (ptrdiff_t x = 0; x < tile.width(); ++x) {
          out[x] = std::max(out[x] - mean[x] * mean[x], 0.0f);
        }
      });
}

}  // namespace

void measure_luma(const float* values, size_t pixels, int channels, const float* parts, int threads,
                  float* luma) {
  parallel_blocks(pixels, values_per_task, threads, [&](size_t begin, size_t end) {
    with_channels(channels, [&](auto c) {
      for (size_t i = begin; i < end; ++i) {
        const float* pixel = values + c * i;
        if constexpr (c < 3) {
          luma[i] = pixel[0];
        } else {
          luma[i] = pixel[0] * parts[0] + pixel[1] * parts[1] + pixel[2] * parts[2];
        }
      }
    });
  });
}

void measure_variance(const float* values, ptrdiff_t height, ptrdiff_t width, int threads,
                      float* variance) {
  for_tiles(height, width, threads, [&](const MapTile& tile) {
    TileMap found;
    variance_of_tile(height, width, tile, [&](ptrdiff_t i) { return values[i]; }, found.data());
    for (ptrdiff_t y = tile.top; y < tile.bottom; ++y) {
      std::copy_n(found.data() + (y - tile.top) * tile.width(), tile.width(),
                  variance + y * width + tile.left);
    }
  });
}

void measure_emphasis(const float* light, const float* error, ptrdiff_t height, ptrdiff_t width,
                      float noise, int threads, float* emphasis) {
  for_tiles(height, width, threads, [&](const MapTile& tile) {
    TileMap of_picture, of_drawing;
    variance_of_tile(height, width, tile, [&](ptrdiff_t i) { return light[i]; }, of_picture.data());
    variance_of_tile(
        height, width, tile, [&](ptrdiff_t i) { return light[i] + error[i]; }, of_drawing.data());
    blur_tile<radius, passes>(
        height, width, tile,
        [&](ptrdiff_t y, ptrdiff_t left, ptrdiff_t right, float* row) {
          for (ptrdiff_t i = y * width + left; i < y * width + right; ++i) {
            *row++ = error[i] * error[i];
          }
        },
        [&](ptrdiff_t y, const float* row) {
          const ptrdiff_t begin = (y - tile.top) * tile.width();
          const float *one = of_picture.data() + begin, *other = of_drawing.data() + begin;
          float* const out = emphasis + y * width + tile.left;
          for (ptrdiff_t x = 0; x < tile.width(); ++x) {
            const float spread = one[x] + other[x] + noise;
            out[x] = row[x] / spread / spread;
          }
        });
  });
}

void combine_scales(const float* fine, double fine_mean, const float* coarse, double coarse_mean,
                    ptrdiff_t height, ptrdiff_t width, ptrdiff_t scale, int threads,
                    float* combined) {
  constexpr float tiny = 1e-6f;  // for a drawing without any error
  const ptrdiff_t across = (width + scale - 1) / scale;
  for_tiles(height, width, threads, [&](const MapTile& tile) {
    blur_tile<radius, passes>(
        height, width, tile,
        [&](ptrdiff_t y, ptrdiff_t left, ptrdiff_t right, float* row) {
          const float* const blocks = coarse + y / scale * across;
          for (ptrdiff_t x = left; x < right; ++x) {
            const double sum = double{fine[y * width + x]} / fine_mean +
                               double{blocks[x / scale]} / coarse_mean + double{tiny};
            *row++ = static_cast<float>(std::sqrt(sum));
          }
        },
        [&](ptrdiff_t y, const float* row) {
          std::copy_n(row, tile.width(), combined + y * width + tile.left);
        });
  });
}

void normalize_weights(float* weights, size_t count, float low, float high, int rounds,
                       int threads) {
  const size_t parts = std::max<size_t>(count / values_per_task, 1);
  std::vector<double> sums(parts);
  // Runs body(value) for each weight, and leaves the sums of the parts in `sums`.
  const auto change = [&](auto&& body) {
    parallel(static_cast<int>(parts), threads, [&](int part) {
      const size_t i = static_cast<size_t>(part);
      const size_t begin = count * i / parts, end = count * (i + 1) / parts;
      std::array<double, 4> lanes{};
      size_t j = begin;
      for (; j + 4 <= end; j += 4) {
        for (size_t k = 0; k < 4; ++k) lanes[k] += double{weights[j + k] = body(weights[j + k])};
      }
      for (; j < end; ++j) lanes[0] += double{weights[j] = body(weights[j])};
      sums[i] = (lanes[0] + lanes[1]) + (lanes[2] + lanes[3]);
    });
  };
  const auto mean = [&] {
    double total = 0;
    for (double sum : sums) total += sum;
    return total / static_cast<double>(count);
  };
  change([](float value) { return value; });
  for (int round = 0; round < rounds; ++round) {
    const double divisor = mean();
    change([&](float value) {
      return std::clamp(static_cast<float>(double{value} / divisor), low, high);
    });
  }
  const double divisor = mean();
  change([&](float value) { return static_cast<float>(double{value} / divisor); });
}

}  // namespace gi
