// Adds grain to the pixels of a block. Compiled once for every instruction set.

#include "grain/grain_block.h"

#include <algorithm>
#include <type_traits>

#include "simd/kernel_parts-isa.h"

namespace gi::GI_ISA {
namespace {

constexpr int side = grain_block;

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

// Converts noise in units of 1/65535 of white to the unit of the samples.
template <typename T>
auto in_units_of(int noise) {
  if constexpr (std::is_same_v<T, float>)
    return static_cast<float>(noise) / 65535.0f;
  else
    return sizeof(T) == 1 ? (noise + 128) >> 8 : noise;
}

template <typename T>
T add(T sample, float noise) {
  return std::clamp(sample + noise, 0.0f, 1.0f);
}
template <typename T>
T add(T sample, int noise) {
  return static_cast<T>(std::clamp(sample + noise, 0, sizeof(T) == 1 ? 255 : 65535));
}

template <int channels, typename T>
void add_to_rows(const GrainBlock& block, int top, int bottom, int left, int right, T* pixels,
                 ptrdiff_t stride) {
  constexpr int colors = channels <= 2 ? 1 : 3;
  for (int y = top; y < bottom; ++y, pixels += stride) {
    int noise[side] = {};
    for (size_t band = 0; band < grain_bands; ++band) {
      const int8_t* first = block.first[band] + y * block.first_stride;
      const int8_t* second = block.second[band] + y * block.second_stride;
      for (int i = 0; i < side; ++i) noise[i] += block.strength[band] * (first[i] + second[i]);
    }
    int factor[side];
    for (int i = left; i < right; ++i) {
      const T* pixel = pixels + (i - left) * channels;
      const bool drawn = channels == colors || pixel[channels - 1] != T{0};
      factor[i] = drawn ? block.factors[luma<colors>(pixel)] : 0;
    }
    for (int i = left; i < right; ++i) noise[i] = ((noise[i] >> 4) * factor[i]) >> 6;
    for (int i = left; i < right; ++i) {
      T* pixel = pixels + (i - left) * channels;
      const auto value = in_units_of<T>(noise[i]);
      for (int k = 0; k < colors; ++k) pixel[k] = add(pixel[k], value);
    }
  }
}

template <int channels, typename T>
void add_to_block(const GrainBlock& block, int top, int bottom, int left, int right, T* pixels,
                  ptrdiff_t stride) {
  // Most blocks are whole: then the compiler knows the loops' ends.
  if (left == 0 && right == side) {
    add_to_rows<channels>(block, top, bottom, 0, side, pixels, stride);
  } else {
    add_to_rows<channels>(block, top, bottom, left, right, pixels, stride);
  }
}

template <typename T>
void add_grain(const GrainBlock& block, int channels, int top, int bottom, int left, int right,
               T* pixels, ptrdiff_t stride) {
  switch (channels) {
    case 1:
      return add_to_block<1>(block, top, bottom, left, right, pixels, stride);
    case 2:
      return add_to_block<2>(block, top, bottom, left, right, pixels, stride);
    case 3:
      return add_to_block<3>(block, top, bottom, left, right, pixels, stride);
    default:
      return add_to_block<4>(block, top, bottom, left, right, pixels, stride);
  }
}

}  // namespace

void add_grain8(const GrainBlock& block, int channels, int top, int bottom, int left, int right,
                uint8_t* pixels, ptrdiff_t stride) {
  add_grain(block, channels, top, bottom, left, right, pixels, stride);
}
void add_grain16(const GrainBlock& block, int channels, int top, int bottom, int left, int right,
                 uint16_t* pixels, ptrdiff_t stride) {
  add_grain(block, channels, top, bottom, left, right, pixels, stride);
}
void add_grain_float(const GrainBlock& block, int channels, int top, int bottom, int left,
                     int right, float* pixels, ptrdiff_t stride) {
  add_grain(block, channels, top, bottom, left, right, pixels, stride);
}

}  // namespace gi::GI_ISA
