#include "file/container_reader.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>

#include "base/byte_reader.h"

namespace gi {
namespace {

constexpr uint8_t signature[8] = {0x8b, 'G', 'I', 'M', 'G', '\r', '\n', '\n'};
constexpr uint64_t max_payload = (uint64_t{1} << 31) - 1;

// table[k][b]: how byte b changes a CRC when k more bytes follow it.
using CrcTable = std::array<std::array<uint32_t, 256>, 8>;

constexpr CrcTable make_crc_table() {
  CrcTable table{};
  for (uint32_t b = 0; b < 256; ++b) {
    uint32_t crc = b;
    for (int bit = 0; bit < 8; ++bit) crc = crc >> 1 ^ (crc & 1 ? 0xedb88320u : 0);
    table[0][b] = crc;
  }
  for (size_t k = 1; k < 8; ++k) {
    for (size_t b = 0; b < 256; ++b) {
      table[k][b] = table[k - 1][b] >> 8 ^ table[0][table[k - 1][b] & 255];
    }
  }
  return table;
}

constexpr CrcTable crc_table = make_crc_table();

// Takes eight bytes at a time: 2 GB/s, where one byte at a time gives 0.4 GB/s.
uint32_t crc32(const uint8_t* p, size_t size) {
  const CrcTable& t = crc_table;
  uint32_t crc = 0xffffffffu;
  for (; size >= 8; size -= 8, p += 8) {
    const uint32_t low =
        crc ^ (p[0] | uint32_t{p[1]} << 8 | uint32_t{p[2]} << 16 | uint32_t{p[3]} << 24);
    crc = t[7][low & 255] ^ t[6][low >> 8 & 255] ^ t[5][low >> 16 & 255] ^ t[4][low >> 24] ^
          t[3][p[4]] ^ t[2][p[5]] ^ t[1][p[6]] ^ t[0][p[7]];
  }
  for (; size > 0; --size, ++p) crc = crc >> 8 ^ t[0][(crc ^ *p) & 255];
  return ~crc;
}

bool is_type(const uint8_t* type) {
  const auto capital = [](uint8_t c) { return c >= 'A' && c <= 'Z'; };
  const auto later = [&](uint8_t c) { return capital(c) || (c >= '0' && c <= '9'); };
  return (capital(type[0]) || (type[0] >= 'a' && type[0] <= 'z')) && later(type[1]) &&
         later(type[2]) && later(type[3]);
}

// Returns the largest work that a header may announce. It is below 2^64, because sides and
// Gaussians are limited.
uint64_t largest_work(uint64_t height, uint64_t width, uint64_t gaussians) {
  return gaussians * (work_per_gaussian + (width + 7) / 8 * (work_per_strip + height));
}

bool read_header(ByteReader head, const FileLimits& limits, PictureFile& file) {
  const uint64_t version = head.little(1), min_reader = head.little(1), flags = head.little(1);
  const uint64_t height = head.varint(), width = head.varint(), gaussians = head.varint();
  const uint64_t layers = head.little(1), q_max = head.little(2), work = head.varint();
  if (!head.good || version < 1 || min_reader != 1 || flags >> 4) return false;
  if (height < 1 || height > max_side || width < 1 || width > max_side || q_max < 1) return false;
  if (gaussians > max_gaussians || (layers == 0) != (gaussians == 0) || layers > gaussians) {
    return false;
  }
  if (work > largest_work(height, width, gaussians)) return false;
  if (std::max(height, width) > limits.side || height * width > limits.pixels ||
      gaussians > limits.gaussians || work > limits.work) {
    return false;
  }
  const int channels = static_cast<int>(flags & 3) + 1;
  const bool has_map = flags >> 3 & 1;
  const auto settings = static_cast<size_t>(2 + 2 * channels);
  if (has_map ? channels % 2 != 0 || head.left() <= settings : head.left() != settings) {
    return false;
  }
  const int color_index = static_cast<int>(head.little(1));
  const int shape_index = static_cast<int>(head.little(1));
  if (shape_index < 64 || shape_index > 192) return false;
  for (int k = 0; k < channels; ++k) {
    file.background[k] = static_cast<float>(static_cast<double>(head.little(2)) / 65535);
  }
  file.alpha_map = {has_map ? head.at : nullptr, head.left()};
  file.quantizer = {static_cast<int>(height), static_cast<int>(width), channels,
                    sixteenth_power(-color_index), sixteenth_power(128 - shape_index)};
  file.q_max = static_cast<double>(q_max) / 2048;
  file.work = work;
  file.gaussians = gaussians;
  file.layers = static_cast<int>(layers);
  return true;
}

}  // namespace

bool read_picture_file(const uint8_t* bytes, size_t size, const FileLimits& limits,
                       PictureFile& file) {
  ByteReader data{bytes, bytes + size};
  file.payloads.clear();
  const uint8_t* start = data.take(sizeof signature);
  if (!start || std::memcmp(start, signature, sizeof signature) != 0) return false;
  for (bool first = true;; first = false) {
    const uint8_t* type = data.take(4);
    const uint64_t length = data.varint();
    if (!data.good || !is_type(type) || length > max_payload) return false;
    const uint8_t* payload = data.take(length);
    if (!payload) return false;
    const uint32_t found = crc32(type, static_cast<size_t>(data.at - type));
    if (data.little(4) != found || !data.good) return false;
    const auto is = [&](const char* name) { return std::memcmp(type, name, 4) == 0; };
    if (is("HEAD") != first) return false;
    if (first) {
      if (!read_header({payload, payload + length}, limits, file)) return false;
    } else if (is("GEND")) {
      return length == 0 && data.left() == 0 &&
             file.payloads.size() == static_cast<size_t>(file.layers);
    } else if (is("LAYR")) {
      file.payloads.emplace_back(payload, length);
    } else if (type[0] < 'a' || is("iCCP") || is("eXIF") || is("xXMP") || is("gRAN")) {
      return false;
    }
  }
}

double sixteenth_power(int sixteenths) {
  // 2^(k / 16) for k = 0 to 15, correctly rounded: the result must not depend on a library's pow.
  static constexpr double roots[16] = {
      1.0,
      1.0442737824274138,
      1.0905077326652577,
      1.1387886347566916,
      1.189207115002721,
      1.241857812073484,
      1.2968395546510096,
      1.3542555469368927,
      1.4142135623730951,
      1.4768261459394993,
      1.5422108254079407,
      1.6104903319492543,
      1.681792830507429,
      1.7562521603732995,
      1.8340080864093424,
      1.9152065613971474,
  };
  const int octaves = sixteenths >> 4;
  return std::ldexp(roots[sixteenths & 15], octaves);
}

}  // namespace gi
