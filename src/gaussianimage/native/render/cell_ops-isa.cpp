// Fills a cell, and converts it to pixels. Compiled once for every instruction set.

#include <algorithm>
#include <cstring>

#include "base/with_channels.h"
#include "render/gaussians.h"
#include "simd/kernel_parts-isa.h"
#include "simd/pixel_vector-isa.h"
#include "simd/vector-isa.h"

namespace gi::GI_ISA {
namespace {

// Writes 8 pixels of a row as bytes.
template <int C>
GI_INLINE void pack_row(const float* p, uint8_t* out) {
  const Half zero = Half::splat(0.0f), one = Half::splat(1.0f);
  const Half scale = Half::splat(255.0f), half = Half::splat(0.5f);
  int32_t lanes[8];
  for (int part = 0; part < Half::parts; ++part) {
    Half::Int pixel = {};
    for (int k = 0; k < C; ++k) {
      const Half level = min(max(Half::load(p + 16 * k), zero), one) * scale + half;
      pixel |= __builtin_convertvector(level.v[part], Half::Int) << channel_shift(k);
    }
    std::memcpy(lanes + part * Half::L, &pixel, sizeof pixel);
  }
  store_pixels<C>(lanes, out);
}

#if defined(__AVX2__)
// A faster version for RGB: the packing instructions clamp, and a NaN becomes 0.
template <>
GI_INLINE void pack_row<3>(const float* p, uint8_t* out) {
  const Half one = Half::splat(1.0f), scale = Half::splat(255.0f), half = Half::splat(0.5f);
  __m256i color[3];
  for (int k = 0; k < 3; ++k) {
    const Half level = min(one, Half::load(p + 16 * k)) * scale + half;
    color[k] = _mm256_cvttps_epi32((__m256)level.v[0]);
  }
  const __m256i blue = _mm256_packs_epi32(color[2], color[2]);
  __m256i bytes = _mm256_packus_epi16(_mm256_packs_epi32(color[0], color[1]), blue);
  // Each half holds four pixels: 4 reds, 4 greens, 4 blues, 4 blues.
  const __m128i order = _mm_setr_epi8(0, 4, 8, 1, 5, 9, 2, 6, 10, 3, 7, 11, 12, 12, 12, 12);
  bytes = _mm256_shuffle_epi8(bytes, _mm256_broadcastsi128_si256(order));
  bytes = _mm256_permutevar8x32_epi32(bytes, _mm256_setr_epi32(0, 1, 2, 4, 5, 6, 7, 7));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(out), _mm256_castsi256_si128(bytes));
  _mm_storel_epi64(reinterpret_cast<__m128i*>(out + 16), _mm256_extracti128_si256(bytes, 1));
}
#endif

template <int C>
void to_bytes_channels(const float* cell, int rows, int columns, uint8_t* out, ptrdiff_t stride) {
  for (int y = 0; y < rows; ++y, out += stride) {
    const float* p = cell_row(cell, C, y);
    if (columns == 8) {
      pack_row<C>(p, out);
    } else {
      uint8_t pixels[8 * C];
      pack_row<C>(p, pixels);
      std::memcpy(out, pixels, static_cast<size_t>(columns * C));
    }
  }
}

template <int C>
void fill_channels(const float* color, int pairs, float* cell) {
  Wide lanes[C];
  for (int k = 0; k < C; ++k) lanes[k] = Wide::splat(color[k]);
  for (int pair = 0; pair < pairs; ++pair) {
    for (int k = 0; k < C; ++k, cell += 16) lanes[k].store(cell);
  }
}

// Sets the floats of a row pair to zero that lie outside of the first rows × columns of its cell.
GI_INLINE void clear_outside(float* p, int pair, int channels, int rows, int columns) {
  if (columns == cell_width && 2 * pair + 1 < rows) return;
  for (int i = 0; i < channels * 16; ++i) {
    if ((i & 7) >= columns || 2 * pair + (i >> 3 & 1) >= rows) p[i] = 0;
  }
}

}  // namespace

void to_bytes(const float* cell, int channels, int rows, int columns, uint8_t* out,
              ptrdiff_t stride) {
  with_channels(channels, [&](auto c) { to_bytes_channels<c>(cell, rows, columns, out, stride); });
}

void to_floats(const float* cell, int channels, int rows, int columns, float* out,
               ptrdiff_t stride) {
  for (int y = 0; y < rows; ++y, out += stride) {
    const float* p = cell_row(cell, channels, y);
    for (int x = 0; x < columns; ++x) {
      for (int k = 0; k < channels; ++k) out[x * channels + k] = p[16 * k + x];
    }
  }
}

void fill(const float* color, int channels, int rows, float* cell) {
  const int pairs = (rows + 1) / 2;
  with_channels(channels, [&](auto c) { fill_channels<c>(color, pairs, cell); });
}

// A NaN stays one in the sum, and becomes zero in the cell.
double clamped_residual(const float* target, float factor, int channels, int rows, int columns,
                        float* cell) {
  const Wide zero = Wide::splat(0.0f), one = Wide::splat(1.0f), scale = Wide::splat(factor);
  double total = 0;
  const int pairs = (rows + 1) / 2;
  constexpr int some = 8;  // row pairs whose squares are added up lane by lane
  for (int begin = 0; begin < pairs; begin += some) {
    Wide squares = zero;
    for (int pair = begin; pair < std::min(begin + some, pairs); ++pair) {
      float* p = cell + static_cast<ptrdiff_t>(pair) * (channels * 16);
      const float* wanted = target + static_cast<ptrdiff_t>(pair) * (channels * 16);
      clear_outside(p, pair, channels, rows, columns);
      for (int k = 0; k < channels; ++k) {
        const Wide x = Wide::load(p + 16 * k);
        const Wide residual = min(one, max(zero, x)) - Wide::load(wanted + 16 * k);
        keep_within(residual * scale, x, zero, one).store(p + 16 * k);
        squares = squares + residual * residual;
      }
    }
    total += sum(first_half(squares) + second_half(squares));
  }
  return total;
}

}  // namespace gi::GI_ISA
