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
GI_INLINE Half coarse_exp2(Half x) {
  typedef uint32_t Bits __attribute__((vector_size(Half::L * 4)));
  for (int i = 0; i < Half::parts; ++i) {
    const Half::Int live = x.v[i] >= -126.0f;
    const Half::Float shifted = x.v[i] + 12582912.0f;
    const Half::Float f = x.v[i] - (shifted - 12582912.0f);
    const Half::Float q =
        (f * 0.24024099f + 0.69312419f) + (f * 0.00958285f + 0.05590643f) * (f * f);
    // Unsigned, because it may wrap around in lanes that are not live.
    const Bits bits = ((Bits)shifted << 23) + (Bits)(f * q + 1.0f);
    x.v[i] = (Half::Float)(bits & (Bits)live);
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
  for (size_t i = 0; i < count; ++i) {
    const CellSpan& span = spans[i];
    const PreparedGaussian16& gaussian = prepared[span.gaussian];
    const Half w0 = weights(gaussian, span.dx, span.u, lift);
    const Half step = Half::splat(steps[i]) * Half::load(gaussian.powers);
    const Half r0 = step * step * Half::splat(gaussian.e1);
    chains[i].w = join(w0, w0 * step);
    chains[i].r = join(r0, r0 * Half::splat(gaussian.e2));
  }
}

template <int C>
void accumulate_channels(const PreparedGaussian16* prepared, const CellSpan* spans, size_t count,
                         const FixedPoint& fixed, int shift, int16_t* cell) {
  const Wide16 below = Wide16::splat((fixed.least >> shift) - 1);
  const Half lift = Half::splat(fixed.lift - static_cast<float>(shift));
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
      Wide16 color[C];
      for (int k = 0; k < C; ++k) color[k] = Wide16::splat(gaussian.colors[k]);
      int16_t* p = cell + ptrdiff_t{span.pair0} * (C * 16);
      const int pairs = span.pair1 - span.pair0;
      const auto add = [&](Wide w) __attribute__((always_inline)) {
        const Wide16 weight = keep_above(to_wide16(w), below);
        for (int k = 0; k < C; ++k) {
          (Wide16::load(p + 16 * k) + scaled(weight, color[k])).store(p + 16 * k);
        }
        p += C * 16;
      };
      if (__builtin_expect(gaussian.powers[0] == 0, 0)) {
        for (int j = 0; j < pairs; ++j) {
          const float u = span.u + static_cast<float>(2 * j);
          add(join(weights(gaussian, span.dx, u, lift),
                   weights(gaussian, span.dx, u + 1.0f, lift)));
        }
        continue;
      }
      const Wide e4 = Wide::splat(gaussian.e4);
      Wide w = chains[i].w, r = chains[i].r;
      for (int j = 0; j < pairs; ++j) {
        add(w);
        w = w * r;
        r = r * e4;
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
