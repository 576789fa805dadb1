// Adds grain to the pixels of a block. Compiled once for every instruction set.

#include "grain/grain_block.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <type_traits>

#include "simd/kernel_parts-isa.h"

namespace gi::GI_ISA {
namespace {

constexpr int side = grain_block;
// Of the root of a block's activity.
constexpr int unit = usual_activity;
// Side of a quarter of a block, and the number of its pairs of neighbors.
constexpr int quarter = side / 2, pairs_of_quarter = 2 * quarter * (quarter - 1);

// Returns the luma of a pixel of 1 or 3 colors, 0 to 255.
template <int colors, typename T>
int luma(const T* pixel) {
  if constexpr (std::is_same_v<T, float>) {
    const float sum = colors == 1 ? 4 * pixel[0] : pixel[0] + 2 * pixel[1] + pixel[2];
    return static_cast<int>(sum * 63.75f);
  } else {
    constexpr int shift = sizeof(T) == 1 ? 2 : 10;
    return (colors == 1 ? 4 * pixel[0] : pixel[0] + 2 * pixel[1] + pixel[2]) >> shift;
  }
}

// What is added to a sample: all that changes one of 8 bits fits into 16.
template <typename T>
using Noise = std::conditional_t<std::is_same_v<T, float>, float,
                                 std::conditional_t<sizeof(T) == 1, int16_t, int>>;

// Converts noise in units of 1/65535 of white to the unit of the samples.
template <typename T>
Noise<T> in_units_of(int noise) {
  if constexpr (std::is_same_v<T, float>)
    return static_cast<float>(noise) / 65535.0f;
  else if constexpr (sizeof(T) == 1)
    return static_cast<int16_t>(std::clamp((noise + 128) >> 8, -255, 255));
  else
    return noise;
}

template <typename T>
T add(T sample, Noise<T> noise) {
  if constexpr (std::is_same_v<T, float>)
    return std::clamp(sample + noise, 0.0f, 1.0f);
  else
    return static_cast<T>(std::clamp(static_cast<Noise<T>>(sample + noise), Noise<T>{0},
                                     Noise<T>{sizeof(T) == 1 ? 255 : 65535}));
}

// Of a block; the last column is for vectors of neighbors to be whole.
using Lumas = int16_t[side][side + 1];

// The difference of two neighbors; one of an edge counts as one of texture.
int16_t difference(int16_t a, int16_t b) {
  return static_cast<int16_t>(std::min(std::abs(a - b), most_difference));
}

// Returns the least sum of differences in a quarter of a whole block.
int least_differences(const Lumas& lumas) {
  int least = std::numeric_limits<int>::max();
  for (int top = 0; top < side; top += quarter) {
    int16_t down[side] = {}, across[side] = {};
    for (int y = top; y < top + quarter; ++y) {
      for (int x = 0; x < side; ++x) across[x] += difference(lumas[y][x], lumas[y][x + 1]);
    }
    for (int y = top + 1; y < top + quarter; ++y) {
      for (int x = 0; x < side; ++x) down[x] += difference(lumas[y][x], lumas[y - 1][x]);
    }
    for (int left = 0; left < side; left += quarter) {
      // The last column's differences lead out of the quarter.
      int sum = -across[left + quarter - 1];
      for (int x = left; x < left + quarter; ++x) sum += down[x] + across[x];
      least = std::min(least, sum);
    }
  }
  return least;
}

// Returns the same of a block at the picture's border, whose quarters have fewer pairs.
int least_differences(const Lumas& lumas, int height, int width) {
  int least = std::numeric_limits<int>::max();
  for (int top = 0; top < height; top += quarter) {
    for (int left = 0; left < width; left += quarter) {
      const int bottom = std::min(top + quarter, height), right = std::min(left + quarter, width);
      int sum = 0, pairs = 0;
      for (int y = top; y < bottom; ++y) {
        for (int x = left; x < right; ++x) {
          if (x > left) sum += difference(lumas[y][x], lumas[y][x - 1]);
          if (y > top) sum += difference(lumas[y][x], lumas[y - 1][x]);
          pairs += (x > left) + (y > top);
        }
      }
      if (pairs > 0) least = std::min(least, pairs_of_quarter * sum / pairs);
    }
  }
  return least == std::numeric_limits<int>::max() ? 0 : least;
}

template <int channels, typename T>
void add_to_pixels(const GrainBlock& block, int height, int width, T* pixels, ptrdiff_t stride) {
  constexpr int colors = channels <= 2 ? 1 : 3;
  Lumas lumas{};
  for (int y = 0; y < height; ++y) {
    const T* row = pixels + y * stride;
    for (int x = 0; x < width; ++x) {
      lumas[y][x] = static_cast<int16_t>(luma<colors>(row + x * channels));
    }
  }
  const bool whole = height == side && width == side;
  const int activity =
      least_activity + (whole ? least_differences(lumas) : least_differences(lumas, height, width));
  const auto root = static_cast<int>(std::sqrt(static_cast<double>(unit * activity)));
  std::array<int, grain_bands> strength;
  for (size_t band = 0; band < grain_bands; ++band) {
    strength[band] = block.strength[band] * root / unit;
  }
  for (int y = 0; y < height; ++y, pixels += stride) {
    int noise[side] = {};
    for (size_t band = 0; band < grain_bands; ++band) {
      const int8_t* first = block.first[band] + y * block.first_stride;
      const int8_t* second = block.second[band] + y * block.second_stride;
      for (int x = 0; x < side; ++x) noise[x] += strength[band] * (first[x] + second[x]);
    }
    int factor[side];
    for (int x = 0; x < width; ++x) {
      const bool drawn = channels == colors || pixels[x * channels + channels - 1] != T{0};
      factor[x] = drawn ? block.factors[lumas[y][x]] : 0;
    }
    for (int x = 0; x < width; ++x) noise[x] = ((noise[x] >> 4) * factor[x]) >> 6;
    Noise<T> values[side];
    for (int x = 0; x < width; ++x) values[x] = in_units_of<T>(noise[x]);
    for (int x = 0; x < width; ++x) {
      T* pixel = pixels + x * channels;
      for (int k = 0; k < colors; ++k) pixel[k] = add(pixel[k], values[x]);
    }
  }
}

template <int channels, typename T>
void add_to_block(const GrainBlock& block, int height, int width, T* pixels, ptrdiff_t stride) {
  // Most blocks are whole: then the compiler knows the loops' ends.
  if (height == side && width == side) {
    add_to_pixels<channels>(block, side, side, pixels, stride);
  } else {
    add_to_pixels<channels>(block, height, width, pixels, stride);
  }
}

template <typename T>
void add_grain(const GrainBlock& block, int channels, int height, int width, T* pixels,
               ptrdiff_t stride) {
  switch (channels) {
    case 1:
      return add_to_block<1>(block, height, width, pixels, stride);
    case 2:
      return add_to_block<2>(block, height, width, pixels, stride);
    case 3:
      return add_to_block<3>(block, height, width, pixels, stride);
    default:
      return add_to_block<4>(block, height, width, pixels, stride);
  }
}

}  // namespace

void add_grain8(const GrainBlock& block, int channels, int height, int width, uint8_t* pixels,
                ptrdiff_t stride) {
  add_grain(block, channels, height, width, pixels, stride);
}
void add_grain16(const GrainBlock& block, int channels, int height, int width, uint16_t* pixels,
                 ptrdiff_t stride) {
  add_grain(block, channels, height, width, pixels, stride);
}
void add_grain_float(const GrainBlock& block, int channels, int height, int width, float* pixels,
                     ptrdiff_t stride) {
  add_grain(block, channels, height, width, pixels, stride);
}

}  // namespace gi::GI_ISA
