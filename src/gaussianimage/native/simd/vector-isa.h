// Short vectors of floats; the same source serves every instruction set.
//
// `Half` is 8 lanes (one row of a column strip), `Wide` is 16 lanes (two rows). Both are arrays of
// the widest vector that the instruction set has, so the same source compiles to SSE2, AVX2,
// AVX-512 or NEON. Everything here is plain IEEE arithmetic in a fixed order (the sources are
// compiled with -ffp-contract=off), so a picture decodes to the same bytes on all of them; only
// `madd`, which the gradient uses, may fuse.
//
// The header is compiled several times with different flags, so everything is in the namespace
// GI_ISA: the linker must never merge two copies of an inline function.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>

#include "simd/isa.h"

#if defined(__SSE2__)
#include <immintrin.h>
#endif

#if defined(__AVX512F__) && defined(__AVX512VL__)
#define GI_NATIVE_LANES 16
#elif defined(__AVX2__)
#define GI_NATIVE_LANES 8
#else
#define GI_NATIVE_LANES 4
#endif

#define GI_INLINE inline __attribute__((always_inline))

namespace gi::GI_ISA {

template <int L>
struct Native {
  typedef float Float __attribute__((vector_size(L * 4)));
  typedef float Loose __attribute__((vector_size(L * 4), aligned(4), may_alias));
  typedef int32_t Int __attribute__((vector_size(L * 4)));
};

// `Lanes` floats as `Lanes / L` native vectors.
template <int Lanes>
struct Vec {
  static constexpr int L = Lanes < GI_NATIVE_LANES ? Lanes : GI_NATIVE_LANES;
  static constexpr int parts = Lanes / L;
  using Float = typename Native<L>::Float;
  using Loose = typename Native<L>::Loose;
  using Int = typename Native<L>::Int;
  Float v[parts];

  static GI_INLINE Vec splat(float x) {
    Vec r;
    // Not 0 + x, which would be an addition: it turns -0 into 0.
    for (int i = 0; i < parts; ++i) r.v[i] = x - Float{};
    return r;
  }
  static GI_INLINE Vec load(const float* p) {
    Vec r;
    for (int i = 0; i < parts; ++i) r.v[i] = *reinterpret_cast<const Loose*>(p + i * L);
    return r;
  }
  GI_INLINE void store(float* p) const {
    for (int i = 0; i < parts; ++i) *reinterpret_cast<Loose*>(p + i * L) = v[i];
  }
};

using Half = Vec<8>;
using Wide = Vec<16>;

// The columns of a strip, counted from its first.
constexpr float column_numbers[8] = {0, 1, 2, 3, 4, 5, 6, 7};

// clang-format off
template <int N> GI_INLINE Vec<N> operator+(Vec<N> a, Vec<N> b) { for (int i = 0; i < Vec<N>::parts; ++i) a.v[i] += b.v[i]; return a; }
template <int N> GI_INLINE Vec<N> operator-(Vec<N> a, Vec<N> b) { for (int i = 0; i < Vec<N>::parts; ++i) a.v[i] -= b.v[i]; return a; }
template <int N> GI_INLINE Vec<N> operator*(Vec<N> a, Vec<N> b) { for (int i = 0; i < Vec<N>::parts; ++i) a.v[i] *= b.v[i]; return a; }
// clang-format on

// Returns a*b + c, fused where the machine can: for gradients, whose last bits may differ between
// machines.
template <int N>
GI_INLINE Vec<N> madd(Vec<N> a, Vec<N> b, Vec<N> c) {
  for (int i = 0; i < Vec<N>::parts; ++i) {
#if defined(__AVX2__) && defined(__FMA__)
    if constexpr (Vec<N>::L == 16) {
#if GI_NATIVE_LANES == 16
      c.v[i] =
          (typename Vec<N>::Float)_mm512_fmadd_ps((__m512)a.v[i], (__m512)b.v[i], (__m512)c.v[i]);
#endif
    } else {
      c.v[i] =
          (typename Vec<N>::Float)_mm256_fmadd_ps((__m256)a.v[i], (__m256)b.v[i], (__m256)c.v[i]);
    }
#else
    c.v[i] += a.v[i] * b.v[i];
#endif
  }
  return c;
}

// Returns x where x >= least, else 0; for NaN 0.
template <int N>
GI_INLINE Vec<N> keep_at_least(Vec<N> x, Vec<N> least) {
  using V = Vec<N>;
  for (int i = 0; i < V::parts; ++i) {
    typename V::Int mask = x.v[i] >= least.v[i];
    x.v[i] = (typename V::Float)((typename V::Int)x.v[i] & mask);
  }
  return x;
}

// Returns a where low <= x <= high, else 0; for NaN 0.
template <int N>
GI_INLINE Vec<N> keep_within(Vec<N> a, Vec<N> x, Vec<N> low, Vec<N> high) {
  using V = Vec<N>;
  for (int i = 0; i < V::parts; ++i) {
    typename V::Int mask = (x.v[i] >= low.v[i]) & (x.v[i] <= high.v[i]);
    a.v[i] = (typename V::Float)((typename V::Int)a.v[i] & mask);
  }
  return a;
}

// The smaller and the larger of two floats, lane by lane; b where one is NaN. On x86 they are
// written as intrinsics, because compilers turn the operator into a comparison and a blend.
template <int L>
GI_INLINE typename Native<L>::Float lane_min(typename Native<L>::Float a,
                                             typename Native<L>::Float b) {
#if GI_NATIVE_LANES == 16
  if constexpr (L == 16) return (typename Native<L>::Float)_mm512_min_ps((__m512)a, (__m512)b);
#endif
#if GI_NATIVE_LANES >= 8
  if constexpr (L == 8) return (typename Native<L>::Float)_mm256_min_ps((__m256)a, (__m256)b);
#elif defined(__SSE2__)
  return (typename Native<L>::Float)_mm_min_ps((__m128)a, (__m128)b);
#endif
  return a < b ? a : b;
}

template <int L>
GI_INLINE typename Native<L>::Float lane_max(typename Native<L>::Float a,
                                             typename Native<L>::Float b) {
#if GI_NATIVE_LANES == 16
  if constexpr (L == 16) return (typename Native<L>::Float)_mm512_max_ps((__m512)a, (__m512)b);
#endif
#if GI_NATIVE_LANES >= 8
  if constexpr (L == 8) return (typename Native<L>::Float)_mm256_max_ps((__m256)a, (__m256)b);
#elif defined(__SSE2__)
  return (typename Native<L>::Float)_mm_max_ps((__m128)a, (__m128)b);
#endif
  return a > b ? a : b;
}

template <int N>
GI_INLINE Vec<N> min(Vec<N> a, Vec<N> b) {
  for (int i = 0; i < Vec<N>::parts; ++i) a.v[i] = lane_min<Vec<N>::L>(a.v[i], b.v[i]);
  return a;
}

template <int N>
GI_INLINE Vec<N> max(Vec<N> a, Vec<N> b) {
  for (int i = 0; i < Vec<N>::parts; ++i) a.v[i] = lane_max<Vec<N>::L>(a.v[i], b.v[i]);
  return a;
}

GI_INLINE Half sqrt(Half a) {
  for (int i = 0; i < Half::parts; ++i) {
#if GI_NATIVE_LANES >= 8
    a.v[i] = (Half::Float)_mm256_sqrt_ps((__m256)a.v[i]);
#elif defined(__SSE2__)
    a.v[i] = (Half::Float)_mm_sqrt_ps((__m128)a.v[i]);
#else
    for (int k = 0; k < Half::L; ++k) a.v[i][k] = std::sqrt(a.v[i][k]);
#endif
  }
  return a;
}

// Stores the lanes as integers, rounded towards zero.
GI_INLINE void store_integers(Half a, int32_t* p) {
  for (int i = 0; i < Half::parts; ++i) {
    const Half::Int integers = __builtin_convertvector(a.v[i], Half::Int);
    std::memcpy(p + i * Half::L, &integers, sizeof integers);
  }
}

// Returns 2^x within 2 ulp for x in [-126, 126]; 0 below and for NaN; 2^126 above.
//
// x = n + f with n an integer and |f| <= 1/2, 2^f by a minimax polynomial of degree 6 (relative
// error 2e-9 before rounding), evaluated in pairs to keep the chain short, and 2^n by bits.
template <int N>
GI_INLINE Vec<N> exp2(Vec<N> x) {
  using V = Vec<N>;
  using Float = typename V::Float;
  for (int i = 0; i < V::parts; ++i) {
    const typename V::Int live = x.v[i] >= -126.0f;
    const Float a = lane_max<V::L>(lane_min<V::L>(x.v[i], Float{} + 126.0f), Float{} - 126.0f);
    const Float shifted = a + 12582912.0f;  // 1.5 * 2^23: adding it rounds to an integer
    const Float f = a - (shifted - 12582912.0f);
    const Float f2 = f * f;
    const Float low =
        (f * 0.240226477f + 0.693147182f) + (f * 9.61843692e-3f + 5.55033237e-2f) * f2;
    const Float q = low + (f * 1.53533620e-4f + 1.33988750e-3f) * (f2 * f2);
    const Float p = f * q + 1.0f;
    const typename V::Int bits = ((typename V::Int)shifted << 23) + (typename V::Int)p;
    x.v[i] = (Float)(bits & live);
  }
  return x;
}

// Return the halves of a Wide.
GI_INLINE Half first_half(Wide a) {
  Half r;
#if GI_NATIVE_LANES == 16
  r.v[0] = (Half::Float)_mm512_castps512_ps256((__m512)a.v[0]);
#else
  for (int i = 0; i < Half::parts; ++i) r.v[i] = a.v[i];
#endif
  return r;
}

GI_INLINE Half second_half(Wide a) {
  Half r;
#if GI_NATIVE_LANES == 16
  r.v[0] = (Half::Float)_mm512_extractf32x8_ps((__m512)a.v[0], 1);
#else
  for (int i = 0; i < Half::parts; ++i) r.v[i] = a.v[Half::parts + i];
#endif
  return r;
}

// Returns the Wide whose halves are a and b.
GI_INLINE Wide join(Half a, Half b) {
  Wide r;
#if GI_NATIVE_LANES == 16
  r.v[0] =
      (Wide::Float)_mm512_insertf32x8(_mm512_castps256_ps512((__m256)a.v[0]), (__m256)b.v[0], 1);
#else
  for (int i = 0; i < Half::parts; ++i) {
    r.v[i] = a.v[i];
    r.v[Half::parts + i] = b.v[i];
  }
#endif
  return r;
}

// Returns the sum of the halves.
GI_INLINE Half fold(Wide a) { return first_half(a) + second_half(a); }

GI_INLINE float sum(Half a) {
  float s[8];
  a.store(s);
  return ((s[0] + s[4]) + (s[1] + s[5])) + ((s[2] + s[6]) + (s[3] + s[7]));
}

// Returns the sum of each four lanes in all four of them.
GI_INLINE Half sum_fours(Half a) {
  for (int i = 0; i < Half::parts; ++i) {
    const Half::Float x = a.v[i];
#if GI_NATIVE_LANES >= 8
    const Half::Float y = x + __builtin_shufflevector(x, x, 1, 0, 3, 2, 5, 4, 7, 6);
    a.v[i] = y + __builtin_shufflevector(y, y, 2, 3, 0, 1, 6, 7, 4, 5);
#else
    const Half::Float y = x + __builtin_shufflevector(x, x, 1, 0, 3, 2);
    a.v[i] = y + __builtin_shufflevector(y, y, 2, 3, 0, 1);
#endif
  }
  return a;
}

// Sums eight vectors at once: sums[i] is the sum of a[i], added in another order than `sum` does.
GI_INLINE void store_sums(const Half (&a)[8], float* sums) {
  typedef float Four __attribute__((vector_size(16)));
  Four folded[8];
  for (int i = 0; i < 8; ++i) {
#if GI_NATIVE_LANES >= 8
    const Half::Float x = a[i].v[0];
    folded[i] =
        __builtin_shufflevector(x, x, 0, 1, 2, 3) + __builtin_shufflevector(x, x, 4, 5, 6, 7);
#else
    folded[i] = a[i].v[0] + a[i].v[1];
#endif
  }
  for (int i = 0; i < 8; i += 4) {
    const auto pair = [&](Four x, Four y) {
      return __builtin_shufflevector(x, y, 0, 4, 1, 5) + __builtin_shufflevector(x, y, 2, 6, 3, 7);
    };
    const Four first = pair(folded[i], folded[i + 1]);
    const Four second = pair(folded[i + 2], folded[i + 3]);
    const Four four = __builtin_shufflevector(first, second, 0, 1, 4, 5) +
                      __builtin_shufflevector(first, second, 2, 3, 6, 7);
    std::memcpy(sums + i, &four, sizeof four);
  }
}

}  // namespace gi::GI_ISA
