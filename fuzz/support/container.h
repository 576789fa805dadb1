// The container of a file as chunks that a mutator can change: lengths and checksums are put right
// when it is written.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "base/byte_reader.h"

namespace fuzz {

using Bytes = std::vector<uint8_t>;

struct Chunk {
  std::string type;  // four characters
  Bytes payload;
};

inline void append_varint(Bytes& bytes, uint64_t value) {
  for (; value >= 128; value >>= 7) bytes.push_back(static_cast<uint8_t>(value | 128));
  bytes.push_back(static_cast<uint8_t>(value));
}

inline void append_little(Bytes& bytes, uint64_t value, int count) {
  for (int i = 0; i < count; ++i) bytes.push_back(static_cast<uint8_t>(value >> (8 * i)));
}

inline uint32_t crc32(const uint8_t* bytes, size_t size) {
  uint32_t crc = 0xffffffffu;
  for (size_t i = 0; i < size; ++i) {
    crc ^= bytes[i];
    for (int bit = 0; bit < 8; ++bit) crc = crc >> 1 ^ (crc & 1 ? 0xedb88320u : 0);
  }
  return ~crc;
}

// Returns the bytes of a file with these chunks; the closing GEND is added.
inline Bytes write_file(const std::vector<Chunk>& chunks) {
  Bytes bytes = {0x8b, 'G', 'I', 'M', 'G', '\r', '\n', '\n'};
  const auto append = [&](const std::string& type, const Bytes& payload) {
    const size_t start = bytes.size();
    bytes.insert(bytes.end(), type.begin(), type.end());
    append_varint(bytes, payload.size());
    bytes.insert(bytes.end(), payload.begin(), payload.end());
    append_little(bytes, crc32(bytes.data() + start, bytes.size() - start), 4);
  };
  for (const Chunk& chunk : chunks) append(chunk.type, chunk.payload);
  append("GEND", {});
  return bytes;
}

// Returns the chunks of any bytes, without GEND. Checksums are not looked at, and what does not fit
// ends the list.
inline std::vector<Chunk> read_chunks(const uint8_t* bytes, size_t size) {
  std::vector<Chunk> chunks;
  gi::ByteReader data{bytes, bytes + size};
  data.take(8);
  while (data.good && data.left() > 0) {
    const uint8_t* const type = data.take(4);
    const uint64_t length = data.varint();
    if (!data.good) break;
    const auto held = static_cast<size_t>(std::min<uint64_t>(length, data.left()));
    const uint8_t* const payload = data.take(held);
    const std::string name(type, type + 4);
    if (name == "GEND") break;
    chunks.push_back({name, Bytes(payload, payload + held)});
    data.take(4);
  }
  return chunks;
}

}  // namespace fuzz
