// The inner loops over the rows of a cell in 16 bits, and the pixels that become of it. Half the
// stores of the loops in rows.cpp, and less to do for a channel. Compiled once for every
// instruction set.

#include <algorithm>
#include <cmath>
#include <cstring>

#include "fixed_point.h"
#include "kernel_parts.h"
#include "pixel_vector.h"
#include "word_vector.h"

namespace gi::GI_ISA {
namespace {

// Of the logarithm, to base 2, of a WordAtom's d: beyond, d^7 and the ratio of the first column may
// leave the range of a float, though the ratios within the ellipse do not.
constexpr float most_growth = 10;

// The largest of four integers.
template <typename Integers>
GI_INLINE int32_t largest(Integers a) {
  const auto most = [](Integers x, Integers y) { return x > y ? x : y; };
  a = most(a, __builtin_shufflevector(a, a, 2, 3, 0, 1));
  return most(a, __builtin_shufflevector(a, a, 1, 0, 3, 2))[0];
}

// Four colors in steps, rounded to the nearest. Returns the bounds that an entry has of the largest
// and of the smallest: not below them, and by two steps more.
GI_INLINE int32_t prepare_colors(const float* colors, float scale, int16_t* steps) {
  typedef float Four __attribute__((vector_size(16)));
  typedef int32_t Integers __attribute__((vector_size(16)));
  Four c;
  std::memcpy(&c, colors, sizeof c);
  const Integers beyond = (c > limit_of_color) | (c < -limit_of_color);
  c = (Four)((Integers)c & ~beyond);
  const Four half = (Four)(((Integers)c & INT32_MIN) | (Integers)(Four{} + 0.5f));
  const Integers words = __builtin_convertvector(c * scale + half, Integers);
  for (int j = 0; j < 4; ++j) steps[j] = static_cast<int16_t>(words[j]);
  const Four shares = c * shares_per_unit;
  const Integers up = __builtin_convertvector(shares + 1.0078125f, Integers) & (c > 0.0f);
  const Integers down = __builtin_convertvector(1.0078125f - shares, Integers) & (c < 0.0f);
  const Integers none = Integers{} + shares_beyond;
  return largest(up | (beyond & none)) | largest(down | (beyond & none)) << 8;
}

constexpr float ramp_values[8] = {0, 1, 2, 3, 4, 5, 6, 7};

// 2^x within 3e-6 of itself, for x <= 126; 0 where x < -126 or not a number. As exp2 of vector.h,
// but with a polynomial of degree 4.
GI_INLINE Half coarse_exp2(Half x) {
  typedef uint32_t Bits __attribute__((vector_size(Half::L * 4)));
  for (int i = 0; i < Half::parts; ++i) {
    const Half::Int live = x.v[i] >= -126.0f;
    const Half::Float shifted = x.v[i] + 12582912.0f;
    const Half::Float f = x.v[i] - (shifted - 12582912.0f);
    const Half::Float q =
        (f * 0.24024099f + 0.69312419f) + (f * 0.00958285f + 0.05590643f) * (f * f);
    // Unsigned, as it may wrap around in lanes that are not alive.
    const Bits bits = ((Bits)shifted << 23) + (Bits)(f * q + 1.0f);
    x.v[i] = (Half::Float)(bits & (Bits)live);
  }
  return x;
}

// The weights of 8 columns in the row whose first pixel is at (dx, u), times 2^lift.
GI_INLINE Half weights(const WordAtom& atom, float dx, float u, Half lift) {
  const Half ramp = Half::load(ramp_values);
  const Half x = Half::splat(dx) + ramp, z = Half::splat(u) + Half::splat(atom.s) * ramp;
  return coarse_exp2(Half::splat(atom.x2) * x * x + (Half::splat(atom.u2) * z * z + lift));
}

// The chain of a Gaussian's weights down a cell, as in rows.cpp: those of the first row pair, and
// their ratios to the ones of the pair after it.
struct Chain {
  Wide w, r;
};

// Chains are begun some entries ahead of their rows, as there.
constexpr size_t ahead = 8;

// The ratios of the second row's weights to the first row's are a geometric sequence from column
// to column, so all of an entry need one exponential.
GI_INLINE void begin_chains(const WordAtom* atoms, const Entry* entries, size_t count, Half lift,
                            Chain* chains) {
  float steps[ahead] = {};
  for (size_t i = 0; i < count; ++i) {
    const float u2 = atoms[entries[i].atom].u2;
    steps[i] = (u2 + u2) * (entries[i].u + 0.5f);
  }
  exp2(Half::load(steps)).store(steps);
  for (size_t i = 0; i < count; ++i) {
    const Entry& entry = entries[i];
    const WordAtom& atom = atoms[entry.atom];
    const Half w0 = weights(atom, entry.dx, entry.u, lift);
    const Half step = Half::splat(steps[i]) * Half::load(atom.powers);
    const Half r0 = step * step * Half::splat(atom.e1);
    chains[i].w = join(w0, w0 * step);
    chains[i].r = join(r0, r0 * Half::splat(atom.e2));
  }
}

template <int C>
void accumulate_channels(const WordAtom* atoms, const Entry* entries, size_t count,
                         const FixedPoint& fixed, int shift, int16_t* cell) {
  const Words below = Words::splat((fixed.least >> shift) - 1);
  const Half lift = Half::splat(fixed.lift - static_cast<float>(shift));
  Chain chains[ahead];
  for (size_t begin = 0; begin < count; begin += ahead) {
    const size_t batch = std::min(ahead, count - begin);
    for (size_t i = begin + ahead; i < std::min(begin + 2 * ahead, count); ++i) {
      __builtin_prefetch(&atoms[entries[i].atom]);
    }
    begin_chains(atoms, entries + begin, batch, lift, chains);
    for (size_t i = 0; i < batch; ++i) {
      const Entry& entry = entries[begin + i];
      const WordAtom& atom = atoms[entry.atom];
      Words color[C];
      for (int k = 0; k < C; ++k) color[k] = Words::splat(atom.colors[k]);
      int16_t* p = cell + ptrdiff_t{entry.pair0} * (C * 16);
      const int pairs = entry.pair1 - entry.pair0;
      const auto add = [&](Wide w) __attribute__((always_inline)) {
        const Words weight = keep_above(to_words(w), below);
        for (int k = 0; k < C; ++k) {
          (Words::load(p + 16 * k) + scaled(weight, color[k])).store(p + 16 * k);
        }
        p += C * 16;
      };
      if (__builtin_expect(atom.powers[0] == 0, 0)) {
        for (int j = 0; j < pairs; ++j) {
          const float u = entry.u + static_cast<float>(2 * j);
          add(join(weights(atom, entry.dx, u, lift), weights(atom, entry.dx, u + 1.0f, lift)));
        }
        continue;
      }
      const Wide e4 = Wide::splat(atom.e4);
      Wide w = chains[i].w, r = chains[i].r;
      for (int j = 0; j < pairs; ++j) {
        add(w);
        w = w * r;
        r = r * e4;
      }
    }
  }
}

template <int C>
void fill_channels(const int16_t* start, int pairs, int16_t* cell) {
  Words lanes[C];
  for (int k = 0; k < C; ++k) lanes[k] = Words::splat(start[k]);
  for (int pair = 0; pair < pairs; ++pair) {
    for (int k = 0; k < C; ++k, cell += 16) lanes[k].store(cell);
  }
}

// A row pair's levels as bytes, 8 pixels of each row.
template <int C>
GI_INLINE void pack_rows(const Words* levels, uint8_t* first, uint8_t* second) {
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
      pixels |= __builtin_convertvector(level, Integers) << (8 * k);
    }
    int32_t lanes[8];
    std::memcpy(lanes, &pixels, sizeof lanes);
    store_pixels<C>(lanes, out[row]);
  }
}

#if GI_NATIVE_LANES >= 8
// The same for RGB, faster: the packing instructions clamp.
template <>
GI_INLINE void pack_rows<3>(const Words* levels, uint8_t* first, uint8_t* second) {
  // In each half, four pixels: red, red, green, green and blue, blue, blue, blue, of the first row
  // and the second in turn.
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
  const int bits = step_bits - scale.shift;
  const Words middle = Words::splat(scale.middle + (1 << (bits - 1)));
  for (int y = 0; y < rows; y += 2, cell += C * 16) {
    Words levels[C];
    for (int k = 0; k < C; ++k) levels[k] = add_and_shift(Words::load(cell + 16 * k), middle, bits);
    if (columns == 8 && y + 1 < rows) {
      pack_rows<C>(levels, out, out + stride);
      out += 2 * stride;
    } else {
      uint8_t pixels[2][8 * C];
      pack_rows<C>(levels, pixels[0], pixels[1]);
      for (int row = 0; row < 2 && y + row < rows; ++row, out += stride) {
        std::memcpy(out, pixels[row], static_cast<size_t>(columns * C));
      }
    }
  }
}

}  // namespace

void prepare_words(const FixedPoint& fixed, const Atom* atoms, int begin, int end, WordAtom* words,
                   Outline* outlines) {
  const Half ramp = Half::load(ramp_values);
  for (int i = begin; i < end; ++i) {
    const Atom& atom = atoms[i];
    Outline& outline = outlines[i];
    if (outline.strip0 >= outline.strip1) continue;
    WordAtom& word = words[i];
    word.x2 = atom.x2;
    word.u2 = atom.u2;
    word.s = atom.s;
    word.e1 = atom.e1;
    word.e2 = atom.e2;
    word.e4 = atom.e4;
    const float growth = 2.0f * atom.u2 * atom.s;
    if (atom.run == 0 || !(std::fabs(growth) < most_growth)) {
      Half::splat(0.0f).store(word.powers);
    } else {
      exp2(Half::splat(growth) * ramp).store(word.powers);
    }
    outline.shares = prepare_colors(atom.colors, fixed.color_scale, word.colors);
  }
}

void accumulate_words(const WordAtom* atoms, const Entry* entries, size_t count, int channels,
                      const FixedPoint& fixed, const CellScale& scale, int16_t* cell) {
  switch (channels) {
    case 1:
      return accumulate_channels<1>(atoms, entries, count, fixed, scale.shift, cell);
    case 2:
      return accumulate_channels<2>(atoms, entries, count, fixed, scale.shift, cell);
    case 3:
      return accumulate_channels<3>(atoms, entries, count, fixed, scale.shift, cell);
    default:
      return accumulate_channels<4>(atoms, entries, count, fixed, scale.shift, cell);
  }
}

void fill_words(const CellScale& scale, int channels, int rows, int16_t* cell) {
  const int pairs = (rows + 1) / 2;
  switch (channels) {
    case 1:
      return fill_channels<1>(scale.start, pairs, cell);
    case 2:
      return fill_channels<2>(scale.start, pairs, cell);
    case 3:
      return fill_channels<3>(scale.start, pairs, cell);
    default:
      return fill_channels<4>(scale.start, pairs, cell);
  }
}

void words_to_bytes(const int16_t* cell, const CellScale& scale, int channels, int rows,
                    int columns, uint8_t* out, ptrdiff_t stride) {
  switch (channels) {
    case 1:
      return to_bytes_channels<1>(cell, scale, rows, columns, out, stride);
    case 2:
      return to_bytes_channels<2>(cell, scale, rows, columns, out, stride);
    case 3:
      return to_bytes_channels<3>(cell, scale, rows, columns, out, stride);
    default:
      return to_bytes_channels<4>(cell, scale, rows, columns, out, stride);
  }
}

}  // namespace gi::GI_ISA
