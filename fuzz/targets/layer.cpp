// Any bytes as the payloads of layers: the entropy decoder, positions, colors and shapes. What
// decodes is valid, is the same on every instruction set, and encodes to the same bytes again.
#include <stdexcept>

#include "layer/decoder.h"
#include "layer/dequantize.h"
#include "layer/encoder.h"
#include "support/container.h"
#include "support/instruction_sets.h"
#include "support/layers.h"

namespace {

// Returns all integers of the whole layers, and their numbers of Gaussians.
std::vector<int64_t> list_integers(const gi::Layer& layer, const std::vector<size_t>& ends,
                                   int channels) {
  const size_t n = layer.count();
  std::vector<int64_t> all(ends.begin(), ends.end());
  all.insert(all.end(), layer.precision.begin(), layer.precision.end());
  const auto append = [&](const std::vector<int32_t>& values, size_t count) {
    all.insert(all.end(), values.begin(), values.begin() + static_cast<ptrdiff_t>(count));
  };
  append(layer.position, 2 * n);
  append(layer.color, static_cast<size_t>(channels) * n);
  append(layer.shape, 3 * n);
  return all;
}

// Returns the Gaussians [begin, end) of a layer.
gi::Layer slice(const gi::Layer& layer, size_t begin, size_t end, size_t channels) {
  const auto part = [&](const auto& values, size_t width) {
    return std::decay_t<decltype(values)>(values.begin() + static_cast<ptrdiff_t>(begin * width),
                                          values.begin() + static_cast<ptrdiff_t>(end * width));
  };
  return {part(layer.precision, 1), part(layer.position, 2), part(layer.color, channels),
          part(layer.shape, 3)};
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 12) return 0;
  // The last bytes say what the payloads are decoded for, so that a payload starts with byte 0.
  FuzzedDataProvider input(data + size - 12, 12);
  size -= 12;
  fuzz::Parameters parameters;
  const gi::Quantizer quantizer = fuzz::make_quantizer(input, 4096, parameters);
  const auto channels = static_cast<size_t>(quantizer.channels);
  const size_t layers = input.ConsumeIntegralInRange<size_t>(1, 3);
  std::vector<gi::LayerBytes> payloads;
  for (size_t i = 0; i < layers; ++i) {
    const size_t begin = size * i / layers, end = size * (i + 1) / layers;
    payloads.emplace_back(data + begin, end - begin);
  }
  const auto announced = static_cast<int>(layers);
  gi::Layer found;
  std::vector<size_t> ends;
  fuzz::same_on_all([&] {
    gi::LayerDecoder decoder;
    const size_t whole = decoder.decode(quantizer, payloads, announced, 1 << 14, 2, found, ends);
    REQUIRE(whole == ends.size() && whole <= layers);
    return list_integers(found, ends, quantizer.channels);
  });

  gi::validate(quantizer, found);
  fuzz::same_on_all([&] {
    std::vector<double> numbers(5 * found.count());
    std::vector<float> colors(channels * found.count());
    gi::dequantize(quantizer, found, 1, numbers.data(), numbers.data() + 2 * found.count(),
                   colors.data());
    numbers.insert(numbers.end(), colors.begin(), colors.end());
    return numbers;
  });
  gi::LayerEncoder encoder(quantizer, announced);
  for (size_t i = 0, begin = 0; i < ends.size(); begin = ends[i], ++i) {
    if (ends[i] == begin) break;  // no encoder writes an empty layer
    gi::Layer layer = slice(found, begin, ends[i], channels), again = layer;
    const fuzz::Bytes bytes = encoder.encode(layer);
    REQUIRE(layer.precision == again.precision && layer.position == again.position);
    REQUIRE(layer.color == again.color && layer.shape == again.shape);
  }
  return 0;
}
