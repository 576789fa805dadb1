// Reads numbers from the front of a range of bytes.
#pragma once

#include <cstddef>
#include <cstdint>

namespace gi {

// Past the end of the bytes, and after a number that is not valid, `good` is false and stays false;
// what is read from then on is 0 or null.
struct ByteReader {
  const uint8_t* at;
  const uint8_t* end;
  bool good = true;

  size_t left() const { return static_cast<size_t>(end - at); }

  // Returns the next `size` bytes and moves past them.
  const uint8_t* take(uint64_t size) {
    if (!good || left() < size) {
      good = false;
      return nullptr;
    }
    const uint8_t* const start = at;
    at += size;
    return start;
  }

  // A little-endian number of `bytes` bytes, at most 8.
  uint64_t little(int bytes) {
    const uint8_t* p = take(static_cast<size_t>(bytes));
    uint64_t value = 0;
    for (int i = 0; p && i < bytes; ++i) value |= uint64_t{p[i]} << (8 * i);
    return value;
  }

  // A little-endian base-128 number below 2^64 of at most `most` bytes. One that is longer than
  // necessary is not valid.
  uint64_t varint(int most = 10) {
    uint64_t value = 0;
    for (int shift = 0; shift < 7 * most; shift += 7) {
      const uint64_t byte = little(1);
      if (!good || (shift == 63 && byte > 1)) break;
      value |= (byte & 127) << shift;
      if (byte >= 128) continue;
      if (byte == 0 && shift > 0) break;
      return value;
    }
    good = false;
    return 0;
  }
};

}  // namespace gi
