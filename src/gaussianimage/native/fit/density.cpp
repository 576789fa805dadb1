#include "fit/density.h"

#include <cmath>
#include <vector>

#include "base/parallel_blocks.h"
#include "base/with_channels.h"

namespace gi {
namespace {

constexpr size_t rows_per_task = 32;

}  // namespace

void measure_gradient(const float* values, ptrdiff_t height, ptrdiff_t width, int channels,
                      int threads, float* magnitudes) {
  const size_t rows = static_cast<size_t>(height), columns = static_cast<size_t>(width);
  const float count = static_cast<float>(channels);
  parallel_blocks(rows, rows_per_task, threads, [&](size_t begin, size_t end) {
    const size_t first = begin == 0 ? 0 : begin - 1, last = std::min(rows, end + 1);
    std::vector<float> means((last - first) * columns);
    with_channels(channels, [&](auto c) {
      for (size_t i = 0; i < means.size(); ++i) {
        const float* pixel = values + c * (first * columns + i);
        float sum = pixel[0];
        for (size_t k = 1; k < c; ++k) sum += pixel[k];
        means[i] = sum / count;
      }
    });
    for (size_t y = begin; y < end; ++y) {
      const size_t above = y == 0 ? 0 : y - 1, below = std::min(y + 1, rows - 1);
      const float *row = means.data() + (y - first) * columns,
                  *upper = means.data() + (above - first) * columns,
                  *lower = means.data() + (below - first) * columns;
      const float tall = below - above == 2 ? 0.5f : 1.0f;
      for (size_t x = 0; x < columns; ++x) {
        const size_t before = x == 0 ? 0 : x - 1, after = std::min(x + 1, columns - 1);
        const float wide = after - before == 2 ? 0.5f : 1.0f;
        magnitudes[y * columns + x] =
            std::hypot((row[after] - row[before]) * wide, (lower[x] - upper[x]) * tall);
      }
    }
  });
}

}  // namespace gi
