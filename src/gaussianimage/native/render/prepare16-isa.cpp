// Prepares Gaussians for sums in 16 bits. Compiled once for every instruction set.

#include <cmath>
#include <cstring>

#include "render/fixed_point.h"
#include "render/gaussians.h"
#include "simd/kernel_parts-isa.h"
#include "simd/vector-isa.h"

namespace gi::GI_ISA {
namespace {

// The largest |log2 d| of a PreparedGaussian16. For larger ones d^7 and the ratio of the first
// column may leave the range of a float, though the ratios within the ellipse do not.
constexpr float max_growth = 10;

// Returns the largest of four integers.
template <typename Integers>
GI_INLINE int32_t largest(Integers a) {
  const auto larger = [](Integers x, Integers y) { return x > y ? x : y; };
  a = larger(a, __builtin_shufflevector(a, a, 2, 3, 0, 1));
  return larger(a, __builtin_shufflevector(a, a, 1, 0, 3, 2))[0];
}

// Converts four colors to steps, rounded to the nearest. Returns a span's bounds of the largest and
// of the smallest color: `up`, and `down` 8 bits above. They are rounded up, with a margin of two
// steps.
GI_INLINE int32_t prepare_colors(const float* colors, float scale, int16_t* steps) {
  typedef float Four __attribute__((vector_size(16)));
  typedef int32_t Integers __attribute__((vector_size(16)));
  Four c;
  std::memcpy(&c, colors, sizeof c);
  const Integers beyond = (c > max_color) | (c < -max_color);
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

void prepare16(const FixedPoint& fixed, const PreparedGaussian* prepared, int count,
               PreparedGaussian16* prepared16, Footprint* footprints) {
  const Half ramp = Half::load(column_numbers);
  for (int i = 0; i < count; ++i) {
    const PreparedGaussian& from = prepared[i];
    Footprint& footprint = footprints[i];
    if (footprint.strip0 >= footprint.strip1) continue;
    PreparedGaussian16& to = prepared16[i];
    to.x2 = from.x2;
    to.u2 = from.u2;
    to.s = from.s;
    to.e1 = from.e1;
    to.e2 = from.e2;
    to.e4 = from.e4;
    const float growth = 2.0f * from.u2 * from.s;
    if (from.run == 0 || !(std::fabs(growth) < max_growth)) {
      Half::splat(0.0f).store(to.powers);
    } else {
      exp2(Half::splat(growth) * ramp).store(to.powers);
    }
    footprint.shares = prepare_colors(from.colors, fixed.color_scale, to.colors);
  }
}

}  // namespace gi::GI_ISA
