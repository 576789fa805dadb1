// Buckets: how integers of any size are coded with a model of 16 symbols.
//
// Small integers have a symbol of their own. Larger ones share a symbol, their bucket, and raw bits
// tell them apart. The last symbol stands for all integers that are larger still. The raw bits are
// loose: they come after the symbols of a whole layer.
#pragma once

#include <cstdint>

namespace gi {

constexpr uint32_t bucket_base[16] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 16, 24, 32, 48, 80};
constexpr int bucket_bits[16] = {0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 2, 3, 3, 4, 5, 0};
constexpr int escape_bits = 24;
constexpr uint32_t max_unsigned = 80 + (1u << (escape_bits + 1)) - 2;

// Both are always inlined, because several instruction sets compile them.

__attribute__((always_inline)) inline uint32_t absolute(int32_t value) {
  return value < 0 ? 0u - static_cast<uint32_t>(value) : static_cast<uint32_t>(value);
}

// Returns the bucket that holds a value.
__attribute__((always_inline)) inline uint32_t find_bucket(uint32_t value) {
  uint32_t bucket = value < 8 ? value : 8;
  while (bucket >= 8 && bucket < 15 && value >= bucket_base[bucket + 1]) ++bucket;
  return bucket;
}

}  // namespace gi
