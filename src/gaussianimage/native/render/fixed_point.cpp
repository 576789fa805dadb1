#include "render/fixed_point.h"

#include <algorithm>

namespace gi {
namespace {

constexpr int max_shares = 65535 / steps_per_share;  // the most shares that fit in 2^16 steps

// The largest sums, over the row pairs, of the spans' upper and of their lower bounds.
struct Bounds {
  int up, down;
};

Bounds find_bounds(const CellSpan* spans, size_t count) {
  // The change of the sums from the previous row pair. Both sums share a number, 32 bits each: they
  // do not influence each other, because all sums are positive.
  int64_t change[cell_pairs + 1] = {};
  for (size_t i = 0; i < count; ++i) {
    const CellSpan& span = spans[i];
    const int64_t both = int64_t{span.down} << 32 | span.up;
    change[span.pair0] += both;
    change[span.pair1] -= both;
  }
  int64_t sum = 0;
  Bounds most{0, 0};
  for (int pair = 0; pair < cell_pairs; ++pair) {
    sum += change[pair];
    most.up = std::max(most.up, static_cast<int>(sum & 0xffffffff));
    most.down = std::max(most.down, static_cast<int>(sum >> 32));
  }
  return most;
}

}  // namespace

bool find_scale(const FixedPoint& fixed, const CellSpan* spans, size_t count,
                const float* background, int channels, CellScale& scale) {
  if (fixed.least == 0) return false;
  float largest = 0, smallest = 0;
  for (int k = 0; k < channels; ++k) {
    const float c = background[k];
    if (!(std::fabs(c) <= max_color)) return false;
    largest = std::max(largest, c);
    smallest = std::min(smallest, c);
  }
  Bounds bounds = find_bounds(spans, count);
  bounds.up += static_cast<int>(largest * shares_per_unit) + 1;
  bounds.down += static_cast<int>(-smallest * shares_per_unit) + 1;
  const int range = bounds.up + bounds.down;
  // A color beyond the limit makes the range too large as well.
  if (range >= 2 * std::min(max_shares, shares_beyond)) return false;
  scale.shift = range > max_shares;
  scale.middle =
      static_cast<int16_t>((bounds.up - bounds.down) * steps_per_share / (2 << scale.shift));
  const float steps = static_cast<float>(steps_per_share << step_bits >> scale.shift);
  for (int k = 0; k < channels; ++k) {
    const int start = static_cast<int>(std::lrint(background[k] * steps)) - scale.middle;
    scale.start[k] = static_cast<int16_t>(start);
  }
  return true;
}

}  // namespace gi
