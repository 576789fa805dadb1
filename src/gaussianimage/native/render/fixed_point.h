// Sums of Gaussians in 16 bits, for pixels of 8 bits: how they are scaled, and for which cells they
// suffice.
//
// A weight is an integer below 2^15. A color is a number of steps, 32 of which are a level of 8
// bits. A product is rounded to the nearest step, so a Gaussian's contribution to a pixel has an
// error of at most a few hundredths of a level. Sums are taken modulo 2^16. Partial sums may
// overflow, as long as the value of the whole sum is unique: the largest and the smallest sum that
// the Gaussians of a row pair can have in a pixel must be less than 2^16 steps apart. Cells for
// which that is not certain are drawn in floats.
#pragma once

#include <cmath>
#include <cstdint>

#include "render/gaussians.h"

namespace gi {

constexpr int step_bits = 5;       // 2^step_bits steps are a level of 8 bits
constexpr float max_color = 3.5f;  // a larger one may not fit into 16 bits

// The units of a CellSpan's bounds of its largest and its smallest color, which are rounded up.
constexpr float shares_per_unit = 32;
constexpr int steps_per_share = 255;
constexpr int shares_beyond = 255;  // both bounds, if a color is beyond the limit

// The factors of weights and colors for Gaussians that are cut at q_max.
struct FixedPoint {
  FixedPoint() = default;
  explicit FixedPoint(double q_max) {
    // A pixel is inside if its weight is at least exp(-q_max). The scale makes exp(-q_max) an
    // integer, so the test is the same for weights that are rounded down. The integer is even,
    // because weights may be halved.
    const double cut = std::exp(-q_max);
    const int rounded = static_cast<int>(cut * 16384) * 2;
    if (rounded < 64) return;
    least = rounded;
    const double weight_scale = least / cut;
    lift = static_cast<float>(std::log2(weight_scale));
    color_scale = static_cast<float>(255 * (1 << step_bits) * 32768 / weight_scale);
  }

  int least = 0;   // the least weight inside; 0: q_max is too large for weights of 15 bits
  float lift = 0;  // log2 of the factor of weights
  float color_scale = 0;
};

// The meaning of a cell's sums: value = (sum + middle) · 2^shift steps.
struct CellScale {
  int shift;                    // 0 or 1: weights are divided by 2^shift
  int16_t start[max_channels];  // the background minus middle
  int16_t middle;
};

// Computes the scale for a cell with the given spans. Returns false if the cell must be drawn in
// floats.
bool find_scale(const FixedPoint& fixed, const CellSpan* spans, size_t count,
                const float* background, int channels, CellScale& scale);

}  // namespace gi
