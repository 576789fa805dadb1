// Makes valid layers with extreme values from the bytes of a fuzzer.
#pragma once

#include <fuzzer/FuzzedDataProvider.h>

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "entropy/buckets.h"
#include "file/container_reader.h"
#include "layer/layer.h"

namespace fuzz {

// Returns a value within the bounds: one of the bounds, near zero, or any.
inline int32_t extreme_integer(FuzzedDataProvider& input, int32_t low, int32_t high) {
  switch (input.ConsumeIntegralInRange<int>(0, 3)) {
    case 0:
      return low;
    case 1:
      return high;
    case 2:
      return std::clamp(input.ConsumeIntegralInRange<int32_t>(-9, 9), low, high);
    default:
      return input.ConsumeIntegralInRange<int32_t>(low, high);
  }
}

// The header's parameters of a quantizer.
struct Parameters {
  int color_index, shape_index;
};

inline gi::Quantizer make_quantizer(FuzzedDataProvider& input, int most_side,
                                    Parameters& parameters) {
  parameters.color_index = extreme_integer(input, 0, 255);
  parameters.shape_index = extreme_integer(input, 64, 192);
  const int height = input.ConsumeIntegralInRange<int>(1, most_side);
  const int width = input.ConsumeIntegralInRange<int>(1, most_side);
  return {height, width, input.ConsumeIntegralInRange<int>(1, gi::max_channels),
          gi::sixteenth_power(-parameters.color_index),
          gi::sixteenth_power(128 - parameters.shape_index)};
}

// Adds Gaussians to a layer until the input ends or there are `most`. Every value is one that a
// file can hold.
inline void add_gaussians(FuzzedDataProvider& input, const gi::Quantizer& quantizer, size_t most,
                          gi::Layer& layer) {
  constexpr auto largest = static_cast<int32_t>(gi::max_unsigned);
  const auto count =
      static_cast<size_t>(input.ConsumeIntegralInRange<int>(1, static_cast<int>(most)));
  for (size_t i = 0; i < count && (i == 0 || input.remaining_bytes() > 0); ++i) {
    const int precision = input.ConsumeIntegralInRange<int>(0, gi::precisions - 1);
    int64_t columns, rows;
    gi::grid_size(quantizer, precision, columns, rows);
    layer.precision.push_back(static_cast<uint8_t>(precision));
    layer.position.push_back(extreme_integer(input, 0, static_cast<int32_t>(columns - 1)));
    layer.position.push_back(extreme_integer(input, 0, static_cast<int32_t>(rows - 1)));
    const size_t first = layer.color.size();
    for (int k = 0; k < quantizer.channels; ++k) {
      layer.color.push_back(extreme_integer(input, -largest, largest));
    }
    const int amplitude = gi::amplitude_class(layer.color.data() + first, quantizer.channels);
    const double step = gi::shape_step(quantizer, amplitude);
    const auto steps = [&](double length) { return static_cast<int32_t>(length / step); };
    const gi::ShapeTables tables(quantizer);
    int32_t shape[3] = {extreme_integer(input, -steps(-gi::min_log_size), steps(gi::max_log_size)),
                        extreme_integer(input, -steps(gi::max_shear), steps(gi::max_shear)), 0};
    const double left = gi::max_shear * gi::max_shear - std::pow(shape[1] * step, 2);
    const int32_t most_shear = left > 0 ? steps(std::sqrt(left)) : 0;
    shape[2] = extreme_integer(input, -most_shear, most_shear);
    // Rounding may leave the last step outside.
    if (!tables.allow(shape, amplitude)) shape[0] = shape[1] = shape[2] = 0;
    layer.shape.insert(layer.shape.end(), shape, shape + 3);
  }
}

}  // namespace fuzz
