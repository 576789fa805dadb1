// Fills a cell of sums in 16 bits, and converts it to pixels. Compiled once for every instruction
// set.

#include <algorithm>
#include <cstring>

#include "base/with_channels.h"
#include "render/fixed_point.h"
#include "render/gaussians.h"
#include "simd/kernel_parts-isa.h"
#include "simd/pixel_vector-isa.h"
#include "simd/vector16-isa.h"

namespace gi::GI_ISA {
namespace {

template <int C>
void fill_channels(const int16_t* start, int rows, int16_t* cell) {
  Wide16 lanes[C];
  for (int k = 0; k < C; ++k) lanes[k] = Wide16::splat(start[k]);
  for (int row = 0; row < rows; row += rows_together) {
    for (int k = 0; k < C; ++k) {
      for (int pair = 0; pair < rows_together / 2; ++pair, cell += 16) lanes[k].store(cell);
    }
  }
}

// Writes a row pair's levels as bytes, 8 pixels of each row.
template <int C>
GI_INLINE void pack_rows(const Wide16* levels, uint8_t* first, uint8_t* second) {
  typedef int16_t Eight __attribute__((vector_size(16)));
  typedef int32_t Integers __attribute__((vector_size(32)));
  int16_t rows[C][16];
  for (int k = 0; k < C; ++k) to_rows(levels[k], rows[k]);
  uint8_t* const out[2] = {first, second};
  for (int row = 0; row < 2; ++row) {
    Integers pixels = {};
    for (int k = 0; k < C; ++k) {
      Eight level;
      std::memcpy(&level, rows[k] + 8 * row, sizeof level);
      level = level > 0 ? level : Eight{};
      level = level < 255 ? level : Eight{} + 255;
      pixels |= __builtin_convertvector(level, Integers) << channel_shift(k);
    }
    int32_t lanes[8];
    std::memcpy(lanes, &pixels, sizeof lanes);
    store_pixels<C>(lanes, out[row]);
  }
}

#if GI_NATIVE_LANES >= 8
// A faster version for RGB: the packing instructions clamp.
template <>
GI_INLINE void pack_rows<3>(const Wide16* levels, uint8_t* first, uint8_t* second) {
  // Each half holds four pixels of both rows: in `others` red, red, green, green, in `blue` blue
  // four times, of the first row and the second in turn.
  const __m256i others = _mm256_packus_epi16(levels[0].v, levels[1].v);
  const __m256i blue = _mm256_packus_epi16(levels[2].v, levels[2].v);
  const __m256i swapped = _mm256_shuffle_epi32(blue, _MM_SHUFFLE(2, 3, 0, 1));
  const auto store = [](__m256i four, __m128i order, uint8_t* out) __attribute__((always_inline)) {
    four = _mm256_shuffle_epi8(four, _mm256_broadcastsi128_si256(order));
    four = _mm256_permutevar8x32_epi32(four, _mm256_setr_epi32(0, 1, 2, 4, 5, 6, 7, 7));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(out), _mm256_castsi256_si128(four));
    _mm_storel_epi64(reinterpret_cast<__m128i*>(out + 16), _mm256_extracti128_si256(four, 1));
  };
  store(_mm256_blend_epi32(others, swapped, 0x22),
        _mm_setr_epi8(0, 8, 4, 1, 9, 5, 2, 10, 6, 3, 11, 7, 12, 12, 12, 12), first);
  store(_mm256_blend_epi32(others, swapped, 0x11),
        _mm_setr_epi8(4, 12, 0, 5, 13, 1, 6, 14, 2, 7, 15, 3, 8, 8, 8, 8), second);
}
#endif

template <int C>
void to_bytes_channels(const int16_t* cell, const CellScale& scale, int rows, int columns,
                       uint8_t* out, ptrdiff_t stride) {
  constexpr int pairs = rows_together / 2;
  const int bits = step_bits - scale.shift;
  const Wide16 middle = Wide16::splat(scale.middle + (1 << (bits - 1)));
  for (int y = 0; y < rows; y += rows_together, cell += C * 8 * rows_together) {
    const bool whole = columns == 8 && y + rows_together <= rows;
    uint8_t pixels[rows_together * 8 * C];
    uint8_t* const to = whole ? out : pixels;
    const ptrdiff_t distance = whole ? stride : 8 * C;
    for (int pair = 0; pair < pairs; ++pair) {
      Wide16 levels[C];
      for (int k = 0; k < C; ++k) {
        const Wide16 sums = Wide16::load(cell + 16 * (pairs * k + pair));
        levels[k] = add_and_shift(sums, middle, bits);
      }
      // These are the rows `pair` and `pair + pairs`.
      pack_rows<C>(levels, to + pair * distance, to + (pair + pairs) * distance);
    }
    if (!whole) {
      for (int row = 0; row < std::min(rows_together, rows - y); ++row) {
        std::memcpy(out + row * stride, pixels + row * 8 * C, static_cast<size_t>(columns * C));
      }
    }
    out += rows_together * stride;
  }
}

}  // namespace

void fill16(const CellScale& scale, int channels, int rows, int16_t* cell) {
  with_channels(channels, [&](auto c) { fill_channels<c>(scale.start, rows, cell); });
}

void to_bytes16(const int16_t* cell, const CellScale& scale, int channels, int rows, int columns,
                uint8_t* out, ptrdiff_t stride) {
  with_channels(channels,
                [&](auto c) { to_bytes_channels<c>(cell, scale, rows, columns, out, stride); });
}

}  // namespace gi::GI_ISA
