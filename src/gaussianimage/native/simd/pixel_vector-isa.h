// Stores 8 pixels of 8 bits at a time.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>

#include "simd/vector-isa.h"

namespace gi::GI_ISA {

// Where channel k of a pixel is in a 32-bit lane, so that the channels' bytes lie in their order in
// memory.
constexpr int channel_shift(int k) {
  return std::endian::native == std::endian::big ? 24 - 8 * k : 8 * k;
}

// Stores 8 pixels whose C channels are the first bytes of 32-bit lanes, four pixels at a time.
template <int C>
GI_INLINE void store_pixels(const int32_t* lanes, uint8_t* out) {
  typedef uint8_t Bytes16 __attribute__((vector_size(16)));
  if constexpr (C == 4) {
    std::memcpy(out, lanes, 32);
    return;
  }
  constexpr auto from = [](int i) { return i < 4 * C ? i / C * 4 + i % C : 0; };
  for (int four = 0; four < 2; ++four) {
    Bytes16 bytes;
    std::memcpy(&bytes, lanes + 4 * four, 16);
    bytes = __builtin_shufflevector(bytes, bytes, from(0), from(1), from(2), from(3), from(4),
                                    from(5), from(6), from(7), from(8), from(9), from(10), from(11),
                                    from(12), from(13), from(14), from(15));
    std::memcpy(out + 4 * C * four, &bytes, 4 * C);
  }
}

}  // namespace gi::GI_ISA
