#include "render/fixed_point.h"

#include <algorithm>

namespace gi {
namespace {

constexpr int most_shares = 65535 / steps_per_share;  // that 2^16 steps tell apart

// The most that the upper bounds of the spans of a row pair come to, and the lower ones.
struct Bounds {
  int up, down;
};

Bounds find_bounds(const CellSpan* spans, size_t count) {
  // How much more than in the row pair before; both bounds in one, 32 bits each, as they do not
  // influence each other while all sums are positive.
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
    if (!(std::fabs(c) <= limit_of_color)) return false;
    largest = std::max(largest, c);
    smallest = std::min(smallest, c);
  }
  Bounds bounds = find_bounds(spans, count);
  bounds.up += static_cast<int>(largest * shares_per_unit) + 1;
  bounds.down += static_cast<int>(-smallest * shares_per_unit) + 1;
  const int range = bounds.up + bounds.down;
  // A color beyond the limit makes it too large, too.
  if (range >= 2 * std::min(most_shares, shares_beyond)) return false;
  scale.shift = range > most_shares;
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
