// Adds Gaussians to the rows of a cell in 16 bits, with half the stores of
// render/accumulate-isa.cpp and less work for each channel. Compiled once for every instruction
// set.

#include <algorithm>
#include <cstddef>

#include "base/with_channels.h"
#include "render/fixed_point.h"
#include "render/gaussians.h"
#include "simd/kernel_parts-isa.h"
#include "simd/vector16-isa.h"

namespace gi::GI_ISA {
namespace {

// Returns 2^x with a relative error of at most 3e-6 for x <= 126; 0 where x < -126 and for NaN. It
// is like exp2 of simd/vector-isa.h, with a polynomial of degree 4.
template <int N>
GI_INLINE Vec<N> coarse_exp2(Vec<N> x) {
  using V = Vec<N>;
  typedef uint32_t Bits __attribute__((vector_size(V::L * 4)));
  for (int i = 0; i < V::parts; ++i) {
    const typename V::Int live = x.v[i] >= -126.0f;
    const typename V::Float shifted = x.v[i] + 12582912.0f;
    const typename V::Float f = x.v[i] - (shifted - 12582912.0f);
    const typename V::Float q =
        (f * 0.24024099f + 0.69312419f) + (f * 0.00958285f + 0.05590643f) * (f * f);
    // Unsigned, because it may wrap around in lanes that are not live.
    const Bits bits = ((Bits)shifted << 23) + (Bits)(f * q + 1.0f);
    x.v[i] = (typename V::Float)(bits & (Bits)live);
  }
  return x;
}

// Returns the weights of 8 columns in the row whose first pixel is at (dx, u), times 2^lift.
GI_INLINE Half weights(const PreparedGaussian16& gaussian, float dx, float u, Half lift) {
  const Half ramp = Half::load(column_numbers);
  const Half x = Half::splat(dx) + ramp, z = Half::splat(u) + Half::splat(gaussian.s) * ramp;
  return coarse_exp2(Half::splat(gaussian.x2) * x * x + (Half::splat(gaussian.u2) * z * z + lift));
}

// The chain of a Gaussian's weights down a cell, as in render/accumulate-isa.cpp: the weights of
// the first row pair, and the ratios of the next pair's weights to them.
struct Chain {
  Wide w, r;
};

// Chains are computed some spans ahead of their rows, as in render/accumulate-isa.cpp.
constexpr size_t ahead = 8;

#if GI_NATIVE_LANES == 16
// Returns a vector whose halves hold a and b.
GI_INLINE Wide splat(const float& a, const float& b) {
  Wide r;
  r.v[0] = (Wide::Float)_mm512_mask_broadcastss_ps(_mm512_set1_ps(a), 0xff00, _mm_load_ss(&b));
  return r;
}

// Return the first and the second halves of two vectors.
GI_INLINE Wide join_first(Wide a, Wide b) {
  Wide r;
  r.v[0] = (Wide::Float)_mm512_shuffle_f32x4((__m512)a.v[0], (__m512)b.v[0], 0x44);
  return r;
}
GI_INLINE Wide join_second(Wide a, Wide b) {
  Wide r;
  r.v[0] = (Wide::Float)_mm512_shuffle_f32x4((__m512)a.v[0], (__m512)b.v[0], 0xee);
  return r;
}
#endif

// From column to column, the ratios of the second row's weights to the first row's are a geometric
// sequence, so a span needs one exponential for all of them.
GI_INLINE void begin_chains(const PreparedGaussian16* prepared, const CellSpan* spans, size_t count,
                            Half lift, Chain* chains) {
  float steps[ahead] = {};
  for (size_t i = 0; i < count; ++i) {
    const float u2 = prepared[spans[i].gaussian].u2;
    steps[i] = (u2 + u2) * (spans[i].u + 0.5f);
  }
  exp2(Half::load(steps)).store(steps);
#if GI_NATIVE_LANES == 16
  // Two spans at a time fill a vector.
  const Wide ramp = join(Half::load(column_numbers), Half::load(column_numbers));
  const Wide lifts = join(lift, lift);
  for (size_t i = 0; i < count; i += 2) {
    const size_t j = std::min(i + 1, count - 1);
    const CellSpan &span = spans[i], &other = spans[j];
    const PreparedGaussian16 &a = prepared[span.gaussian], &b = prepared[other.gaussian];
    const Wide x = splat(span.dx, other.dx) + ramp;
    const Wide z = splat(span.u, other.u) + splat(a.s, b.s) * ramp;
    const Wide w0 = coarse_exp2(splat(a.x2, b.x2) * x * x + (splat(a.u2, b.u2) * z * z + lifts));
    const Wide step = splat(steps[i], steps[j]) * join(Half::load(a.powers), Half::load(b.powers));
    const Wide r0 = step * step * splat(a.e1, b.e1);
    const Wide w1 = w0 * step, r1 = r0 * splat(a.e2, b.e2);
    chains[i] = {join_first(w0, w1), join_first(r0, r1)};
    chains[i + 1] = {join_second(w0, w1), join_second(r0, r1)};
  }
#else
  for (size_t i = 0; i < count; ++i) {
    const CellSpan& span = spans[i];
    const PreparedGaussian16& gaussian = prepared[span.gaussian];
    const Half w0 = weights(gaussian, span.dx, span.u, lift);
    const Half step = Half::splat(steps[i]) * Half::load(gaussian.powers);
    const Half r0 = step * step * Half::splat(gaussian.e1);
    chains[i].w = join(w0, w0 * step);
    chains[i].r = join(r0, r0 * Half::splat(gaussian.e2));
  }
#endif
}

#if GI_NATIVE_LANES == 16

// Adds spans to cells of four rows at a time (see simd/vector16-isa.h), two row pairs of which
// are the lower and the upper rows. Of the first four rows, a span that begins at an odd row pair
// has only the upper ones; masks leave out the others.
template <int C>
class Adder {
 public:
  Adder(const FixedPoint& fixed, int shift, int16_t* cell)
      : below_(_mm512_set1_epi16(static_cast<int16_t>((fixed.least >> shift) - 1))), cell_(cell) {}

  // Adds the row pairs of a chain. All spans of a list have the same number of them and pass
  // through the same number of steps, so that branches are predictable.
  GI_INLINE void add(const PreparedGaussian16& gaussian, const CellSpan& span, const Chain& chain) {
    set_colors(gaussian);
    const int last = (span.pair1 - span.pair0) / 2;  // the number of the last step
    const bool odd = span.pair0 & 1;
    int16_t* p = cell_ + ptrdiff_t{span.pair0 / 2} * step;
    const auto skip = static_cast<__mmask16>(odd ? 0xffff : 0);
    const __m512 e4 = _mm512_set1_ps(gaussian.e4);
    const __m512 w0 = (__m512)chain.w.v[0], r0 = (__m512)chain.r.v[0];
    const __m512 w1 = _mm512_mul_ps(w0, r0), r1 = _mm512_mul_ps(r0, e4);
    if (last == 0) {
      step_rows(w0, w0, odd ? upper : lower, p);
      return;
    }
    step_rows(w0, _mm512_mask_mov_ps(w1, skip, w0), odd ? upper : both, p);
    __m512 w = _mm512_mask_mov_ps(_mm512_mul_ps(w1, r1), skip, w1);
    __m512 r = _mm512_mask_mov_ps(_mm512_mul_ps(r1, e4), skip, r1);
    const auto next = [&]() __attribute__((always_inline)) {
      const __m512 now = w;
      w = _mm512_mul_ps(w, r);
      r = _mm512_mul_ps(r, e4);
      return now;
    };
    for (int i = 1; i < last; ++i) {
      p += step;
      const __m512 first = next(), second = next();
      step_rows(first, second, both, p);
    }
    p += step;
    const __m512 first = next();
    const bool ends_lower = ((span.pair1 - span.pair0) & 1) != odd;
    // A span of even length from an even row pair on ends before the last step.
    const __mmask32 mask = ends_lower ? lower : odd ? both : __mmask32{0};
    step_rows(first, w, mask, p);
  }

  // Adds a single row pair.
  GI_INLINE void add_pair(const PreparedGaussian16& gaussian, int pair, Wide weights) {
    set_colors(gaussian);
    const __m512 w = (__m512)weights.v[0];
    step_rows(w, w, pair & 1 ? upper : lower, cell_ + ptrdiff_t{pair / 2} * step);
  }

 private:
  static constexpr ptrdiff_t step = 32 * C;
  static constexpr __mmask32 lower = 0x0f0f0f0f, upper = 0xf0f0f0f0, both = 0xffffffff;

  GI_INLINE void set_colors(const PreparedGaussian16& gaussian) {
    for (int k = 0; k < C; ++k) color_[k] = _mm512_set1_epi16(gaussian.colors[k]);
  }

  GI_INLINE void step_rows(__m512 first, __m512 second, __mmask32 mask, int16_t* p) const {
    const __m512i weight =
        _mm512_packs_epi32(_mm512_cvttps_epi32(first), _mm512_cvttps_epi32(second));
    const __mmask32 inside = _mm512_mask_cmpgt_epi16_mask(mask, weight, below_);
    for (int k = 0; k < C; ++k) {
      __m512i* const at = reinterpret_cast<__m512i*>(p + 32 * k);
      const __m512i product = _mm512_maskz_mulhrs_epi16(inside, weight, color_[k]);
      _mm512_storeu_si512(at, _mm512_add_epi16(_mm512_loadu_si512(at), product));
    }
  }

  const __m512i below_;
  int16_t* const cell_;
  __m512i color_[C];
};

#else

// Adds spans to cells of two rows at a time.
template <int C>
class Adder {
 public:
  Adder(const FixedPoint& fixed, int shift, int16_t* cell)
      : below_(Wide16::splat((fixed.least >> shift) - 1)), cell_(cell) {}

  // Adds the row pairs of a chain.
  GI_INLINE void add(const PreparedGaussian16& gaussian, const CellSpan& span, const Chain& chain) {
    Wide16 color[C];
    for (int k = 0; k < C; ++k) color[k] = Wide16::splat(gaussian.colors[k]);
    int16_t* p = cell_ + ptrdiff_t{span.pair0} * step;
    const Wide e4 = Wide::splat(gaussian.e4);
    Wide w = chain.w, r = chain.r;
    for (int j = span.pair0; j < span.pair1; ++j, p += step) {
      step_rows(w, color, p);
      w = w * r;
      r = r * e4;
    }
  }

  // Adds a single row pair.
  GI_INLINE void add_pair(const PreparedGaussian16& gaussian, int pair, Wide weights) {
    Wide16 color[C];
    for (int k = 0; k < C; ++k) color[k] = Wide16::splat(gaussian.colors[k]);
    step_rows(weights, color, cell_ + ptrdiff_t{pair} * step);
  }

 private:
  static constexpr ptrdiff_t step = 16 * C;

  GI_INLINE void step_rows(Wide w, const Wide16* color, int16_t* p) const {
    const Wide16 weight = keep_above(to_wide16(w), below_);
    for (int k = 0; k < C; ++k) {
      (Wide16::load(p + 16 * k) + scaled(weight, color[k])).store(p + 16 * k);
    }
  }

  const Wide16 below_;
  int16_t* const cell_;
};

#endif

template <int C>
void accumulate_channels(const PreparedGaussian16* prepared, const CellSpan* spans, size_t count,
                         const FixedPoint& fixed, int shift, int16_t* cell) {
  const Half lift = Half::splat(fixed.lift - static_cast<float>(shift));
  Adder<C> adder(fixed, shift, cell);
  Chain chains[ahead];
  for (size_t begin = 0; begin < count; begin += ahead) {
    const size_t batch = std::min(ahead, count - begin);
    for (size_t i = begin + ahead; i < std::min(begin + 2 * ahead, count); ++i) {
      __builtin_prefetch(&prepared[spans[i].gaussian]);
    }
    begin_chains(prepared, spans + begin, batch, lift, chains);
    for (size_t i = 0; i < batch; ++i) {
      const CellSpan& span = spans[begin + i];
      const PreparedGaussian16& gaussian = prepared[span.gaussian];
      if (__builtin_expect(gaussian.powers[0] != 0, 1)) {
        adder.add(gaussian, span, chains[i]);
        continue;
      }
      for (int pair = span.pair0; pair < span.pair1; ++pair) {
        const float u = span.u + static_cast<float>(2 * (pair - span.pair0));
        adder.add_pair(
            gaussian, pair,
            join(weights(gaussian, span.dx, u, lift), weights(gaussian, span.dx, u + 1.0f, lift)));
      }
    }
  }
}

}  // namespace

void accumulate16(const PreparedGaussian16* prepared, const CellSpan* spans, size_t count,
                  int channels, const FixedPoint& fixed, const CellScale& scale, int16_t* cell) {
  with_channels(channels, [&](auto c) {
    accumulate_channels<c>(prepared, spans, count, fixed, scale.shift, cell);
  });
}

}  // namespace gi::GI_ISA
