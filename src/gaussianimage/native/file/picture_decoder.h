// Decodes a file's layers to pixels in one call.
#pragma once

#include <cstdint>
#include <vector>

#include "file/alpha_map.h"
#include "file/container_reader.h"
#include "layer/decoder.h"
#include "render/gaussians.h"
#include "render/pixels.h"

namespace gi {

// What to draw of a picture: a part of it, at some size, from its first layers.
struct DecodeRequest {
  int height, width;  // of the whole picture
  Part part;
  size_t layers;
  PixelKind kind;
  int threads;
  uint64_t most_work;  // for drawing at another size than the file's
};

struct DecodedPicture {
  size_t layers;     // complete layers
  size_t gaussians;  // in the complete layers

  bool drawn;     // false when something is damaged or the work exceeds a limit
  bool honest;    // whether the work is no more than the header announces
  bool good_map;  // false when the alpha map is damaged
};

// Decodes and draws files, and keeps its memory from file to file.
class PictureDecoder {
 public:
  // Draws over the background to `out`: part.height × part.width × channels of the request's kind.
  // If the last channel is alpha, colors are divided by it.
  DecodedPicture draw(const PictureFile& file, const DecodeRequest& request, void* out);

  // Frees its memory if the last picture had very many Gaussians or pixels of alpha.
  void trim();

  PictureFile file;  // the file that is read

 private:
  void to_floats(const Quantizer& quantizer, int threads);
  // Returns the alpha classes of the part's pixels, or null if the file has no map or a damaged
  // one.
  const uint8_t* alpha(const PictureFile& file, const DecodeRequest& request, int threads,
                       bool& good);

  LayerDecoder layers_;
  Layer layer_;
  std::vector<size_t> ends_;
  std::vector<LayerBytes> payloads_;
  std::vector<double> means_, cholesky_;
  std::vector<float> colors_;
  std::vector<uint8_t> map_, classes_;  // alpha classes of the picture, and of the drawn part
  AlphaMapWorkspace workspace_;
};

}  // namespace gi
