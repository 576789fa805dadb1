// Powers of two for exponentials in double precision, without branches, calls or the conversion to
// integers that few machines have for vectors: a loop of them becomes vectors, and gives the same
// bits everywhere.
#pragma once

#include <cstdint>
#include <cstring>

#include "simd/vector-isa.h"

namespace gi::GI_ISA {

// Gaussians are prepared this many at a time, each step for all of them: the compiler makes vectors
// of it, and there are enough of those that none has to wait for the one before it.
constexpr int block_size = 32;

// 1.5 * 2^52: adding it rounds to an integer, which the sum has in its last bits.
constexpr double rounding = 6755399441055744.0;

// 2^n for shifted = n + rounding, n an integer from -1022 to 1023.
GI_INLINE double exp2_shifted(double shifted) {
  int64_t bits;
  std::memcpy(&bits, &shifted, sizeof bits);
  bits = static_cast<int64_t>(static_cast<uint64_t>(bits + 1023) << 52);
  double power;
  std::memcpy(&power, &bits, sizeof power);
  return power;
}

}  // namespace gi::GI_ISA
