// Reads the container of a file for its picture: the fast path of decoding.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "layer/layer.h"
#include "render/gaussians.h"

namespace gi {

// The parts of a file that a picture is decoded from.
struct PictureFile {
  Quantizer quantizer;
  float background[max_channels];
  double q_max;
  uint64_t work;                     // bound from the header
  size_t gaussians;                  // in all layers together
  int layers;                        // as the header announces
  std::vector<LayerBytes> payloads;  // those of the layers in the file
  LayerBytes alpha_map;              // encoded; null if the file has none
};

// What a file may take to decode. read_picture_file does not check `output` and `memory`, which
// depend on what is drawn.
struct FileLimits {
  uint64_t pixels, side, gaussians, work;
  uint64_t output;  // bytes of the drawn pixels
  uint64_t memory;  // bytes; see `estimate_memory`
};

// Returns an upper estimate of the bytes that drawing takes, for a number of Gaussians and the
// bytes of the pixels.
constexpr uint64_t estimate_memory(uint64_t gaussians, uint64_t output) {
  return 200 * gaussians + output;
}

// Reads a complete and ordinary file within the limits. Returns false for every other file: damage
// of any kind, a limit exceeded, metadata, unknown critical chunks, the paper's profile. The caller
// then uses the reader in Python, which says what is wrong. Both readers must agree on every file.
bool read_picture_file(const uint8_t* bytes, size_t size, const FileLimits& limits,
                       PictureFile& file);

// Returns 2^(sixteenths / 16), a step of a quantizer, with the same bits on every machine.
double sixteenth_power(int sixteenths);

}  // namespace gi
