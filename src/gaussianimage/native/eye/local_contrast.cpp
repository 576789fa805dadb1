#include "eye/local_contrast.h"

#include <bit>
#include <cmath>
#include <limits>

#include "base/parallel_blocks.h"
#include "eye/box_sums.h"

namespace gi {
namespace {

constexpr size_t blocks_per_task = 16;

// Maps floats to integers in the same order.
int32_t ordered(float value) {
  const int32_t bits = std::bit_cast<int32_t>(value);
  return bits ^ (bits >> 31 & 0x7fffffff);
}

float from_ordered(int32_t key) { return std::bit_cast<float>(key ^ (key >> 31 & 0x7fffffff)); }

// The median of a plane's first rows and columns. It halves the range of keys until it has found
// the lower one: counting is quick, and unlike sorting it never branches on a value.
float median(const Plane& values, size_t rows, size_t columns) {
  // Keys beyond these pixels are larger than all others.
  std::array<int32_t, block_pixels> keys;
  keys.fill(std::numeric_limits<int32_t>::max());
  int32_t low = std::numeric_limits<int32_t>::max(), high = std::numeric_limits<int32_t>::min();
  for (size_t i = 0; i < rows; ++i) {
    for (size_t at = i * block_side; at < i * block_side + columns; ++at) {
      keys[at] = ordered(values[at]);
      low = std::min(low, keys[at]);
      high = std::max(high, keys[at]);
    }
  }
  const auto count_up_to = [&](int32_t key) {
    int32_t count = 0;
    for (size_t i = 0; i < block_pixels; ++i) count += keys[i] <= key;
    return count;
  };
  const int32_t pixels = static_cast<int32_t>(rows * columns), half = (pixels + 1) / 2;
  while (low < high) {
    const int32_t middle = static_cast<int32_t>((int64_t{low} + high) >> 1);
    if (count_up_to(middle) >= half) {
      high = middle;
    } else {
      low = middle + 1;
    }
  }
  int32_t next = low;  // the upper of the two middle values of an even number
  if (pixels % 2 == 0 && count_up_to(low) == half) {
    next = std::numeric_limits<int32_t>::max();
    for (size_t i = 0; i < block_pixels; ++i) {
      if (keys[i] > low) next = std::min(next, keys[i]);
    }
  }
  return (from_ordered(low) + from_ordered(next)) / 2;
}

// The root mean square over the channels of pixels that are blurred over 3 × 3 pixels.
void blurred_size(Block& block, int channels, Plane& size) {
  size.fill(0);
  for (int c = 0; c < channels; ++c) {
    Plane& plane = block[static_cast<size_t>(c)];
    box_sums(plane, 1, 1);
    for (size_t i = 0; i < block_pixels; ++i) size[i] += plane[i] * plane[i];
  }
  const float nines = static_cast<float>(81 * channels);
  for (size_t i = 0; i < block_pixels; ++i) size[i] = std::sqrt(size[i] / nines);
}

float largest_of(const Plane& plane) {
  float most = plane[0];
  for (float value : plane) most = std::max(most, value);
  return most;
}

// Runs body(i, number) for each of the blocks.
template <typename Body>
void for_blocks(const int64_t* numbers, size_t count, int threads, Body&& body) {
  parallel_blocks(count, blocks_per_task, threads, [&](size_t begin, size_t end) {
    for (size_t i = begin; i < end; ++i) body(i, numbers[i]);
  });
}

}  // namespace

void measure_contrast(const BlockSource& source, const int64_t* numbers, size_t count, int threads,
                      float* largest, float* usual) {
  for_blocks(numbers, count, threads, [&](size_t i, int64_t number) {
    const size_t rows = source.rows(number), columns = source.columns(number);
    Block block;
    cut_block(source, number, block);
    for (int c = 0; c < source.channels; ++c) {
      Plane& plane = block[static_cast<size_t>(c)];
      const float ground = median(plane, rows, columns);
      for (float& value : plane) value -= ground;
      clear_beyond(plane, rows, columns);
    }
    Plane size;
    blurred_size(block, source.channels, size);
    largest[i] = largest_of(size);
    usual[i] = median(size, rows, columns);
  });
}

void measure_peaks(const BlockSource& source, const int64_t* numbers, size_t count, int threads,
                   float* peaks) {
  for_blocks(numbers, count, threads, [&](size_t i, int64_t number) {
    Block block;
    cut_block(source, number, block);
    Plane size;
    blurred_size(block, source.channels, size);
    peaks[i] = largest_of(size);
  });
}

void measure_excess(const BlockSource& source, FunctionRef<void(int64_t, Block&)> cut_error,
                    const float* bounds, const int64_t* numbers, size_t count, int threads,
                    double* excess) {
  for_blocks(numbers, count, threads, [&](size_t i, int64_t number) {
    const size_t rows = source.rows(number), columns = source.columns(number);
    const double pixels = static_cast<double>(rows * columns);
    Block block, error;
    cut_block(source, number, block);
    cut_error(number, error);
    double total = 0;
    for (size_t c = 0; c < static_cast<size_t>(source.channels); ++c) {
      if (bounds) {
        const float black = bounds[c], white = bounds[static_cast<size_t>(source.channels) + c];
        for (size_t j = 0; j < block_pixels; ++j) {
          const float drawn = error[c][j] + block[c][j];
          error[c][j] = std::min(std::max(drawn, black), white) - block[c][j];
        }
      }
      // Of differences from one pixel, so that the mean takes no digits away.
      const float first = block[c][0];
      std::array<double, 4> sum{}, squares{}, lost{};
      const auto count = [&](size_t at, size_t k) {
        const double difference = double{block[c][at] - first};
        const double wrong = double{error[c][at]};
        sum[k] += difference;
        squares[k] += difference * difference;
        lost[k] += wrong * wrong;
      };
      for (size_t row = 0; row < rows; ++row) {
        size_t at = row * block_side;
        const size_t end = at + columns;
        for (; at + 4 <= end; at += 4) {
          for (size_t k = 0; k < 4; ++k) count(at + k, k);
        }
        for (size_t k = 0; at < end; ++at, ++k) count(at, k);
      }
      const auto all = [](const std::array<double, 4>& s) { return (s[0] + s[1]) + (s[2] + s[3]); };
      total += all(lost) - all(squares) + all(sum) * all(sum) / pixels;
    }
    excess[i] = total / (pixels * source.channels);
  });
}

}  // namespace gi
