#include "file/picture_decoder.h"

#include <algorithm>

#include "base/pool.h"
#include "layer/dequantize.h"
#include "render/render.h"
#include "render/scale_gaussians.h"

namespace gi {
namespace {

constexpr size_t max_kept = 100000;  // Gaussians whose memory is kept

constexpr size_t max_kept_classes = 1 << 22;  // alpha classes whose memory is kept

}  // namespace

DecodedPicture PictureDecoder::draw(const PictureFile& file, const DecodeRequest& request,
                                    void* out) {
  const Quantizer& quantizer = file.quantizer;
  const int channels = quantizer.channels, threads = resolve_threads(request.threads);
  DecodedPicture result{};
  result.good_map = true;
  payloads_.assign(file.payloads.begin(),
                   file.payloads.begin() + static_cast<ptrdiff_t>(request.layers));
  result.layers =
      layers_.decode(quantizer, payloads_, file.layers, file.gaussians, threads, layer_, ends_);
  const size_t n = layer_.count();
  result.gaussians = n;
  if (result.layers < payloads_.size()) return result;
  to_floats(quantizer, threads);
  const Source source{means_.data(),       cholesky_.data(), colors_.data(),
                      static_cast<int>(n), channels,         file.q_max};
  const Window nominal{0, 0, quantizer.height, quantizer.width};
  const Window window{0, 0, request.height, request.width};
  Work most{file.work, UINT64_MAX};
  result.honest = true;
  if (window.height != nominal.height || window.width != nominal.width) {
    // The header bounds the work of the nominal size; the work of another size must be computed.
    const Part all{0, 0, nominal.height, nominal.width};
    result.honest = work(source, nominal, all, threads).whole <= file.work;
    if (!result.honest) return result;
    most = {UINT64_MAX, request.most_work};
    scale_gaussians(double(window.width) / nominal.width, double(window.height) / nominal.height, n,
                    channels, means_.data(), cholesky_.data(), colors_.data());
  }
  const bool has_alpha = channels % 2 == 0;
  const uint8_t* const classes = alpha(file, request, threads, result.good_map);
  if (!result.good_map) return result;
  const PixelSink sink(request.kind, has_alpha, channels, request.part, out, classes);
  result.drawn = render(source, window, file.background, most, threads, sink);
  if (most.part == UINT64_MAX) result.honest = result.drawn;
  return result;
}

const uint8_t* PictureDecoder::alpha(const PictureFile& file, const DecodeRequest& request,
                                     int threads, bool& good) {
  const auto [bytes, size] = file.alpha_map;
  if (!bytes) return nullptr;
  const int height = file.quantizer.height, width = file.quantizer.width;
  good = decode_alpha_map(bytes, size, height, width, map_, workspace_);
  if (!good) return nullptr;
  const Part& part = request.part;
  if (part.height == height && part.width == width && request.height == height &&
      request.width == width) {
    return map_.data();
  }
  classes_.resize(static_cast<size_t>(part.height) * static_cast<size_t>(part.width));
  alpha_classes(map_.data(), height, width, request.height, request.width, part, threads,
                classes_.data(), workspace_);
  return classes_.data();
}

void PictureDecoder::to_floats(const Quantizer& quantizer, int threads) {
  const size_t n = layer_.count(), channels = static_cast<size_t>(quantizer.channels);
  means_.resize(2 * n);
  cholesky_.resize(3 * n);
  colors_.resize(channels * n);
  dequantize(quantizer, layer_, threads, means_.data(), cholesky_.data(), colors_.data());
  if (n > max_kept) layer_ = Layer{};
}

void PictureDecoder::trim() {
  if (means_.size() > 2 * max_kept || map_.size() + classes_.size() > max_kept_classes) {
    *this = PictureDecoder{};
  }
}

}  // namespace gi
