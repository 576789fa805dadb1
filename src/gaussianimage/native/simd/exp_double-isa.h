// Powers of two for exponentials in double precision. They use no branches, no calls and no
// conversion to integers, which few machines have for vectors. So loops of them become vectors, and
// give the same bits on every machine.
#pragma once

#include <cstdint>
#include <cstring>

#include "simd/vector-isa.h"

namespace gi::GI_ISA {

// Gaussians are prepared in blocks of this size, each step for the whole block: the compiler turns
// the loops into vectors, and a block has enough of them to hide their latency.
constexpr int block_size = 32;

// 1.5 * 2^52: adding it rounds to an integer, which is in the last bits of the sum.
constexpr double rounding = 6755399441055744.0;

// Returns 2^n for shifted = n + rounding and an integer n from -1022 to 1023.
GI_INLINE double exp2_shifted(double shifted) {
  int64_t bits;
  std::memcpy(&bits, &shifted, sizeof bits);
  bits = static_cast<int64_t>(static_cast<uint64_t>(bits + 1023) << 52);
  double power;
  std::memcpy(&power, &bits, sizeof power);
  return power;
}

}  // namespace gi::GI_ISA
