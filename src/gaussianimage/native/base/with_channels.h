// From a number of channels that is known at run time to one that the compiler knows.
#pragma once

#include <type_traits>

namespace gi {

// Calls use(C), where C converts to the number of channels, 1 to 4, in constant expressions. Always
// inlined, because several instruction sets compile it.
template <typename Use>
__attribute__((always_inline)) inline void with_channels(int channels, Use&& use) {
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

}  // namespace gi
