#include "picture_decoder.h"

#include <algorithm>

#include "pool.h"
#include "render.h"

namespace gi {
namespace {

// What a call leaves for the next one, unless it was large.
struct Scratch {
  Layer layer;
  std::vector<size_t> ends;
  std::vector<double> means, cholesky;
  std::vector<float> colors;
};

constexpr size_t most_kept = 100000;  // Gaussians

}  // namespace

DecodedPicture decode_picture(const Quantizer& quantizer, const std::vector<LayerBytes>& layers,
                              int announced, size_t most, const float* background, double q_max,
                              const Window& window, uint64_t most_work, int threads, uint8_t* out) {
  thread_local Scratch kept;
  Scratch& s = kept;
  const size_t channels = static_cast<size_t>(quantizer.channels);
  DecodedPicture result{};
  result.layers = decode_layers(quantizer, layers, announced, most, threads, s.layer, s.ends);
  const size_t n = s.layer.count();
  result.gaussians = n;
  if (result.layers == layers.size()) {
    s.means.resize(2 * n);
    s.cholesky.resize(3 * n);
    s.colors.resize(channels * n);
    const int parts = static_cast<int>(std::clamp<size_t>(n / 512, 1, 64));
    parallel(parts, resolve_threads(threads), [&](int part) {
      const size_t begin = n * static_cast<size_t>(part) / static_cast<size_t>(parts);
      const size_t end = n * static_cast<size_t>(part + 1) / static_cast<size_t>(parts);
      dequantize(quantizer, s.layer, begin, end, s.means.data() + 2 * begin,
                 s.cholesky.data() + 3 * begin, s.colors.data() + channels * begin);
    });
    const Source source{s.means.data(),      s.cholesky.data(),  s.colors.data(),
                        static_cast<int>(n), quantizer.channels, q_max};
    result.drawn = render_bytes(source, window, background, most_work, threads, out);
  }
  if (n > most_kept) kept = Scratch{};
  return result;
}

}  // namespace gi
