// From the layers of a file to pixels in one call.
#pragma once

#include <cstdint>
#include <vector>

#include "file/alpha_map.h"
#include "file/container_reader.h"
#include "layer/decoder.h"
#include "render/gaussians.h"
#include "render/pixels.h"

namespace gi {

// What to draw of a picture: a part of it at some size, from its first layers.
struct DecodeRequest {
  int height, width;  // of the whole picture
  Part part;
  size_t layers;
  PixelKind kind;
  int threads;
  uint64_t most_work;  // to draw it at another size than the file's
};

struct DecodedPicture {
  size_t layers;     // that were whole
  size_t gaussians;  // in those
  bool drawn;        // false when something is damaged, or there is too much work
  bool honest;       // whether the work is no more than was announced
  bool good_map;     // false when the map of alpha is damaged
};

// Decodes and draws files, and keeps its memory from one to the next.
class PictureDecoder {
 public:
  // Draws to `out`: part.height × part.width × channels of the request's kind, over the background.
  // Color is divided by alpha where there is one.
  DecodedPicture draw(const PictureFile& file, const DecodeRequest& request, void* out);

  // Gives memory back if the last picture was one of very many Gaussians.
  void trim();

  PictureFile file;  // to read into

 private:
  void to_floats(const Quantizer& quantizer, int threads);
  // The classes of the pixels of a part; null if the file has no map or a damaged one.
  const uint8_t* alpha(const PictureFile& file, const DecodeRequest& request, int threads,
                       bool& good);

  LayerDecoder layers_;
  Layer layer_;
  std::vector<size_t> ends_;
  std::vector<LayerBytes> payloads_;
  std::vector<double> means_, cholesky_;
  std::vector<float> colors_;
  std::vector<uint8_t> map_, classes_;  // of alpha: of the picture, and of what is drawn
  AlphaMapWorkspace workspace_;
};

}  // namespace gi
