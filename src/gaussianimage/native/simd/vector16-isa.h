// Vectors of 16-bit integers; the same source serves every instruction set, with the same results.
#pragma once

#include "simd/vector-isa.h"

namespace gi::GI_ISA {

// The rows of a cell in 16 bits that lie side by side in memory: a cell is
// [rows_together rows][channel][the values of these rows]. AVX-512 takes four rows at a time.
// There, rows 0 and 2 are a Wide16, followed by rows 1 and 3.
#if GI_NATIVE_LANES == 16
constexpr int rows_together = 4;
#else
constexpr int rows_together = 2;
#endif

// 16 lanes, two rows of a column strip. Their order depends on the instruction set; `to_rows`
// restores it.
struct Wide16 {
#if GI_NATIVE_LANES >= 8
  // Columns 0 to 3 of the first row and of the second, then columns 4 to 7 of both.
  __m256i v;

  static GI_INLINE Wide16 load(const int16_t* p) {
    return {_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p))};
  }
  GI_INLINE void store(int16_t* p) const { _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), v); }
#else
  // One row after the other. Unsigned, because sums may wrap around.
  typedef uint16_t Eight __attribute__((vector_size(16)));
  typedef int16_t Signed __attribute__((vector_size(16)));
  typedef int32_t Integers __attribute__((vector_size(32)));
  Eight v[2];

  static GI_INLINE Wide16 load(const int16_t* p) {
    Wide16 r;
    std::memcpy(r.v, p, sizeof r.v);
    return r;
  }
  GI_INLINE void store(int16_t* p) const { std::memcpy(p, v, sizeof v); }
#endif

  // Returns a vector with the same integer in all lanes.
  static GI_INLINE Wide16 splat(int x) {
#if GI_NATIVE_LANES >= 8
    return {_mm256_set1_epi16(static_cast<int16_t>(x))};
#else
    const Eight all = static_cast<uint16_t>(x) - Eight{};
    return {{all, all}};
#endif
  }
};

#if !defined(__SSE2__)
GI_INLINE Wide16::Integers to_integers(Wide16::Eight a) {
  return __builtin_convertvector((Wide16::Signed)a, Wide16::Integers);
}
#endif

// Adds modulo 2^16.
GI_INLINE Wide16 operator+(Wide16 a, Wide16 b) {
#if GI_NATIVE_LANES >= 8
  return {_mm256_add_epi16(a.v, b.v)};
#else
  return {{a.v[0] + b.v[0], a.v[1] + b.v[1]}};
#endif
}

// Rounds floats of at most 32767, or a little more, towards zero. A NaN, or a float far out of
// range, becomes 0 or less.
GI_INLINE Wide16 to_wide16(Wide a) {
#if GI_NATIVE_LANES == 16
  const __m512i integers = _mm512_cvttps_epi32((__m512)a.v[0]);
  return {
      _mm256_packs_epi32(_mm512_castsi512_si256(integers), _mm512_extracti64x4_epi64(integers, 1))};
#elif GI_NATIVE_LANES == 8
  return {
      _mm256_packs_epi32(_mm256_cvttps_epi32((__m256)a.v[0]), _mm256_cvttps_epi32((__m256)a.v[1]))};
#else
  Wide16 r;
  for (int row = 0; row < 2; ++row) {
#if defined(__SSE2__)
    r.v[row] = (Wide16::Eight)_mm_packs_epi32(_mm_cvttps_epi32((__m128)a.v[2 * row]),
                                              _mm_cvttps_epi32((__m128)a.v[2 * row + 1]));
#else
    typedef int16_t Four __attribute__((vector_size(8)));
    Four parts[2];
    for (int part = 0; part < 2; ++part) {
      // This also replaces NaN, whose conversion is undefined.
      Wide::Float x = a.v[2 * row + part];
      x = x > 0.0f ? x : Wide::Float{};
      x = x < 32767.0f ? x : Wide::Float{} + 32767.0f;
      parts[part] = __builtin_convertvector(__builtin_convertvector(x, Wide::Int), Four);
    }
    std::memcpy(&r.v[row], parts, sizeof parts);
#endif
  }
  return r;
#endif
}

// Returns x where x > bound, else 0.
GI_INLINE Wide16 keep_above(Wide16 x, Wide16 bound) {
#if GI_NATIVE_LANES >= 8
  return {_mm256_and_si256(x.v, _mm256_cmpgt_epi16(x.v, bound.v))};
#else
  for (int i = 0; i < 2; ++i) {
    x.v[i] &= (Wide16::Eight)((Wide16::Signed)x.v[i] > (Wide16::Signed)bound.v[i]);
  }
  return x;
#endif
}

// Returns a b / 2^15 rounded to the nearest integer, halves up. Not valid for -32768 times itself.
GI_INLINE Wide16 scaled(Wide16 a, Wide16 b) {
#if GI_NATIVE_LANES >= 8
  return {_mm256_mulhrs_epi16(a.v, b.v)};
#else
  Wide16 r;
  for (int i = 0; i < 2; ++i) {
#if defined(__SSE2__)
    // Computed from the two halves of the product, because the instruction for it came with SSSE3.
    const __m128i x = (__m128i)a.v[i], y = (__m128i)b.v[i];
    const __m128i low = _mm_srli_epi16(_mm_mullo_epi16(x, y), 14), high = _mm_mulhi_epi16(x, y);
    const __m128i half = _mm_srli_epi16(_mm_add_epi16(low, _mm_set1_epi16(1)), 1);
    r.v[i] = (Wide16::Eight)_mm_add_epi16(_mm_add_epi16(high, high), half);
#else
    const Wide16::Integers product = (to_integers(a.v[i]) * to_integers(b.v[i]) + (1 << 14)) >> 15;
    r.v[i] = __builtin_convertvector(product, Wide16::Eight);
#endif
  }
  return r;
#endif
}

// Returns a + b, clamped to 16 bits, then divided by 2^bits and rounded down.
GI_INLINE Wide16 add_and_shift(Wide16 a, Wide16 b, int bits) {
#if GI_NATIVE_LANES >= 8
  return {_mm256_sra_epi16(_mm256_adds_epi16(a.v, b.v), _mm_cvtsi32_si128(bits))};
#else
  for (int i = 0; i < 2; ++i) {
#if defined(__SSE2__)
    const __m128i sum = _mm_adds_epi16((__m128i)a.v[i], (__m128i)b.v[i]);
    a.v[i] = (Wide16::Eight)_mm_sra_epi16(sum, _mm_cvtsi32_si128(bits));
#else
    Wide16::Integers sum = to_integers(a.v[i]) + to_integers(b.v[i]);
    sum = sum > 32767 ? Wide16::Integers{} + 32767 : sum;
    sum = sum < -32768 ? Wide16::Integers{} - 32768 : sum;
    a.v[i] = __builtin_convertvector(sum >> bits, Wide16::Eight);
#endif
  }
  return a;
#endif
}

// Stores the first row's 8 lanes to rows[0…7] and the second row's to rows[8…15].
GI_INLINE void to_rows(Wide16 a, int16_t* rows) {
#if GI_NATIVE_LANES >= 8
  a.v = _mm256_permute4x64_epi64(a.v, _MM_SHUFFLE(3, 1, 2, 0));
#endif
  a.store(rows);
}

}  // namespace gi::GI_ISA
