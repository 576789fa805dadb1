// The container of a file, read for its picture alone.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "layer/layer.h"
#include "render/gaussians.h"

namespace gi {

// What a picture is decoded from.
struct PictureFile {
  Quantizer quantizer;
  float background[max_channels];
  double q_max;
  uint64_t work;                     // a bound that the header gives
  size_t gaussians;                  // in all layers together
  int layers;                        // that the header announces
  std::vector<LayerBytes> payloads;  // of the layers that there are
  LayerBytes alpha_map;              // encoded; null if there is none
};

// Of `output` and `memory` only what hangs on the header is looked at by read_picture_file.
struct FileLimits {
  uint64_t pixels, side, gaussians, work;
  uint64_t output;  // bytes of pixels that are drawn
  uint64_t memory;  // bytes, see `estimate_memory`
};

// Bytes that drawing so many Gaussians takes, and the pixels, estimated from above.
constexpr uint64_t estimate_memory(uint64_t gaussians, uint64_t output) {
  return 200 * gaussians + output;
}

// Reads a whole and ordinary file within the limits. False for all else: damage of any kind, a
// limit exceeded, metadata, chunks that are not known, the paper's profile. Whoever asks then finds
// out which it is, with gaussianimage/codec/opened.py; there must be no file on which the two
// disagree.
bool read_picture_file(const uint8_t* bytes, size_t size, const FileLimits& limits,
                       PictureFile& file);

// 2^(sixteenths / 16), the same bits on every machine: the steps of a quantizer.
double sixteenth_power(int sixteenths);

}  // namespace gi
