// Gaussians as the engine takes them, from the bytes of a fuzzer: ordinary, extreme and poisoned.
#pragma once

#include <fuzzer/FuzzedDataProvider.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "render/gaussians.h"

namespace fuzz {

// Returns a number of any kind: a special one, any bits, or one of the size of a picture.
inline double any_number(FuzzedDataProvider& input, double ordinary) {
  constexpr double special[] = {0.0,
                                -0.0,
                                1.0,
                                -1.0,
                                0.5,
                                1e-6,
                                1.0000001e-6,
                                1e12,
                                -1e12,
                                1e30,
                                1e38,
                                1e-38,
                                1e300,
                                1e-300,
                                5e-324,
                                std::numeric_limits<double>::infinity(),
                                -std::numeric_limits<double>::infinity(),
                                std::numeric_limits<double>::quiet_NaN()};
  switch (input.ConsumeIntegralInRange<int>(0, 7)) {
    case 0:
      return input.PickValueInArray(special);
    case 1: {
      const auto bits = input.ConsumeIntegral<uint64_t>();
      double number;
      std::memcpy(&number, &bits, sizeof number);
      return number;
    }
    case 2:  // any size
      return std::ldexp(input.ConsumeIntegral<int8_t>(),
                        input.ConsumeIntegralInRange<int>(-60, 60));
    default:
      return ordinary * input.ConsumeIntegral<int16_t>() / 32768.0;
  }
}

struct Gaussians {
  std::vector<double> means, cholesky;
  std::vector<float> colors;
  int count, channels;
  double q_max;

  Gaussians(FuzzedDataProvider& input, int height, int width, int most) {
    constexpr double cutoffs[] = {4.5, 5.541263545158426, 1 / 2048.0, 32.0, 64.0, 1e-3};
    q_max = input.PickValueInArray(cutoffs);
    channels = input.ConsumeIntegralInRange<int>(1, gi::max_channels);
    count = input.ConsumeIntegralInRange<int>(0, most);
    for (int i = 0; i < count; ++i) {
      means.push_back(width / 2.0 + any_number(input, width));
      means.push_back(height / 2.0 + any_number(input, height));
      const double size = input.ConsumeBool() ? 2.0 : 50.0;
      cholesky.push_back(any_number(input, size));
      cholesky.push_back(any_number(input, size));
      cholesky.push_back(any_number(input, size));
      if (input.ConsumeIntegralInRange<int>(0, 7) > 0) {
        cholesky[cholesky.size() - 3] = std::fabs(cholesky[cholesky.size() - 3]);
        cholesky.back() = std::fabs(cholesky.back());
      }
      for (int k = 0; k < channels; ++k) {
        const double value = any_number(input, 2.0);
        // The conversion of a double that is too large for a float is undefined.
        colors.push_back(std::fabs(value) <= std::numeric_limits<float>::max()
                             ? static_cast<float>(value)
                             : std::numeric_limits<float>::infinity());
      }
    }
  }

  gi::Source source() const {
    return {means.data(), cholesky.data(), colors.data(), count, channels, q_max};
  }
};

}  // namespace fuzz
