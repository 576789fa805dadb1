// From the layers of a file to pixels in one call.
#pragma once

#include <cstdint>
#include <vector>

#include "kernels.h"
#include "layer.h"

namespace gi {

struct DecodedPicture {
  size_t layers;     // that were whole
  size_t gaussians;  // in those
  bool drawn;        // false when a layer is damaged or the work is above the limit
};

// Decodes `layers` of a file that announces `announced` of them, at most `most` Gaussians, and
// draws the window over the background as bytes, unless that is more than `most_work` blocks. The
// memory in between is kept by the calling thread for its next call.
DecodedPicture decode_picture(const Quantizer& quantizer, const std::vector<LayerBytes>& layers,
                              int announced, size_t most, const float* background, double q_max,
                              const Window& window, uint64_t most_work, int threads, uint8_t* out);

}  // namespace gi
