// Gaussians prepared for sums in 16 bits. Compiled once for every instruction set.

#include <cmath>
#include <cstring>

#include "render/fixed_point.h"
#include "simd/kernel_parts-isa.h"
#include "simd/vector-isa.h"

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

}  // namespace

void prepare_words(const FixedPoint& fixed, const Atom* atoms, int count, WordAtom* words,
                   Outline* outlines) {
  const Half ramp = Half::load(column_numbers);
  for (int i = 0; i < count; ++i) {
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

}  // namespace gi::GI_ISA
