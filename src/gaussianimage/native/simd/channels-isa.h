// From a number of channels that is known when the program runs to one that the compiler knows.
#pragma once

#include <type_traits>

#include "simd/vector-isa.h"

namespace gi::GI_ISA {

// Calls use(C), where C converts to the number of channels in constant expressions.
template <typename Use>
GI_INLINE void with_channels(int channels, Use&& use) {
  switch (channels) {
    case 1:
      return use(std::integral_constant<int, 1>{});
    case 2:
      return use(std::integral_constant<int, 2>{});
    case 3:
      return use(std::integral_constant<int, 3>{});
    default:
      return use(std::integral_constant<int, 4>{});
  }
}

}  // namespace gi::GI_ISA
