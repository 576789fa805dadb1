// Sums of Gaussians in 16 bits, for pixels of 8 bits: how they are scaled, and where they will do.
//
// A weight is an integer below 2^15, a color a number of steps, 32 of them to a level of 8 bits,
// and a product is rounded to the nearest step. So a Gaussian's share of a pixel is off by a few
// hundredths of a level at most. Sums are taken modulo 2^16: partial sums may be anything as long
// as the whole sum has only one meaning, that is if the largest and the smallest sum that the
// Gaussians of a row pair could have in any of its pixels are less than 2^16 steps apart. Cells for
// which that isn't certain are drawn in floats.
#pragma once

#include <cmath>
#include <cstdint>

#include "render/gaussians.h"

namespace gi {

constexpr int step_bits = 5;            // 2^step_bits steps are a level of 8 bits
constexpr float limit_of_color = 3.5f;  // a larger one may not fit into 16 bits

// What an CellSpan has its largest and its smallest color in, rounded up.
constexpr float shares_per_unit = 32;
constexpr int steps_per_share = 255;
constexpr int shares_beyond = 255;  // both of them, when a color is beyond the limit

// What weights and colors are multiplied by when Gaussians are cut at q_max.
struct FixedPoint {
  FixedPoint() = default;
  explicit FixedPoint(double q_max) {
    // A pixel is in if its weight is at least exp(-q_max). Rounded down that is the same as being
    // at least an integer, if exp(-q_max) itself is one: an even one, as weights may be halved.
    const double cut = std::exp(-q_max);
    const int rounded = static_cast<int>(cut * 16384) * 2;
    if (rounded < 64) return;
    least = rounded;
    const double weight_scale = least / cut;
    lift = static_cast<float>(std::log2(weight_scale));
    color_scale = static_cast<float>(255 * (1 << step_bits) * 32768 / weight_scale);
  }

  int least = 0;   // weight of a pixel that is just in; 0: cut too late for weights of 15 bits
  float lift = 0;  // log2 of what weights are multiplied by
  float color_scale = 0;
};

// How the sums of a cell are to be read: value = (sum + middle) · 2^shift steps.
struct CellScale {
  int shift;                    // 0 or 1: weights are divided by 2^shift
  int16_t start[max_channels];  // the background, less middle
  int16_t middle;
};

// Finds the scale for a cell with some spans, or returns false if it is to be drawn in floats.
bool find_scale(const FixedPoint& fixed, const CellSpan* spans, size_t count,
                const float* background, int channels, CellScale& scale);

}  // namespace gi
