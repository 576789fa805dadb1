// The inner loops over the rows of a cell, in 16 bits: half the stores of those in
// render/accumulate-isa.cpp, and less to do for a channel. Compiled once for every instruction set.

#include <algorithm>
#include <cstddef>

#include "render/fixed_point.h"
#include "simd/channels-isa.h"
#include "simd/kernel_parts-isa.h"
#include "simd/vector16-isa.h"

namespace gi::GI_ISA {
namespace {

// 2^x within 3e-6 of itself, for x <= 126; 0 where x < -126 or not a number. As exp2 of
// simd/vector-isa.h, but with a polynomial of degree 4.
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
  const Half ramp = Half::load(column_numbers);
  const Half x = Half::splat(dx) + ramp, z = Half::splat(u) + Half::splat(atom.s) * ramp;
  return coarse_exp2(Half::splat(atom.x2) * x * x + (Half::splat(atom.u2) * z * z + lift));
}

// The chain of a Gaussian's weights down a cell, as in render/accumulate-isa.cpp: those of the
// first row pair, and their ratios to the ones of the pair after it.
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

}  // namespace

void accumulate_words(const WordAtom* atoms, const Entry* entries, size_t count, int channels,
                      const FixedPoint& fixed, const CellScale& scale, int16_t* cell) {
  with_channels(channels, [&](auto c) {
    accumulate_channels<c>(atoms, entries, count, fixed, scale.shift, cell);
  });
}

}  // namespace gi::GI_ISA
