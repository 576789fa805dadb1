// Valid files with extreme values: what the encoder writes must decode to the same Gaussians, and
// to the same pixels on every instruction set and for every number of threads.
#include <stdexcept>

#include "file/picture_decoder.h"
#include "layer/decoder.h"
#include "layer/dequantize.h"
#include "layer/encoder.h"
#include "render/render.h"
#include "support/container.h"
#include "support/instruction_sets.h"
#include "support/layers.h"

namespace {

constexpr gi::FileLimits limits{1 << 16, 1 << 12, 1 << 12, uint64_t{1} << 40, 1 << 30, 1 << 30};
constexpr uint64_t most_work = 1 << 19;

struct Encoded {
  std::vector<gi::Layer> layers;
  std::vector<fuzz::Bytes> payloads;
  size_t gaussians = 0;
};

Encoded encode_layers(FuzzedDataProvider& input, const gi::Quantizer& quantizer) {
  Encoded encoded;
  const int announced = input.ConsumeIntegralInRange<int>(1, 3);
  gi::LayerEncoder encoder(quantizer, announced);
  for (int i = 0; i < announced; ++i) {
    gi::Layer layer;
    fuzz::add_gaussians(input, quantizer, 40, layer);
    gi::validate(quantizer, layer);
    encoded.payloads.push_back(encoder.encode(layer));
    encoded.gaussians += layer.count();
    encoded.layers.push_back(std::move(layer));
  }
  return encoded;
}

// The decoder must return what the encoder was given, in the order in which it left it.
void check_layers(const gi::Quantizer& quantizer, const Encoded& encoded) {
  std::vector<gi::LayerBytes> payloads;
  for (const fuzz::Bytes& bytes : encoded.payloads)
    payloads.emplace_back(bytes.data(), bytes.size());
  gi::Layer expected;
  for (const gi::Layer& layer : encoded.layers) {
    const auto append = [](auto& all, const auto& some) {
      all.insert(all.end(), some.begin(), some.end());
    };
    append(expected.precision, layer.precision);
    append(expected.position, layer.position);
    append(expected.color, layer.color);
    append(expected.shape, layer.shape);
  }
  fuzz::for_each_instruction_set([&](const char*) {
    gi::LayerDecoder decoder;
    gi::Layer found;
    std::vector<size_t> ends;
    const size_t whole = decoder.decode(quantizer, payloads, static_cast<int>(payloads.size()),
                                        encoded.gaussians, 2, found, ends);
    REQUIRE(whole == payloads.size());
    REQUIRE(found.precision == expected.precision);
    REQUIRE(found.position == expected.position);
    REQUIRE(found.color == expected.color);
    REQUIRE(found.shape == expected.shape);
  });
}

fuzz::Bytes draw(const fuzz::Bytes& data, const gi::DecodeRequest& request) {
  gi::PictureDecoder decoder;
  REQUIRE(gi::read_picture_file(data.data(), data.size(), limits, decoder.file));
  const size_t values = static_cast<size_t>(request.part.height) *
                        static_cast<size_t>(request.part.width) *
                        static_cast<size_t>(decoder.file.quantizer.channels);
  fuzz::Bytes pixels(values * gi::bytes_per_value(request.kind));
  const gi::DecodedPicture picture = decoder.draw(decoder.file, request, pixels.data());
  REQUIRE(picture.layers == request.layers);
  REQUIRE(picture.honest);
  // Drawing it at another size may take more work than the request allows.
  if (!picture.drawn) pixels.clear();
  return pixels;
}

// Computes the work that the header must announce. Returns false if it is too much for a test.
bool measure(const gi::Quantizer& quantizer, const Encoded& encoded, double q_max, uint64_t& work) {
  std::vector<double> means, cholesky;
  std::vector<float> colors;
  for (const gi::Layer& layer : encoded.layers) {
    const size_t n = layer.count(), before = means.size() / 2;
    const auto channels = static_cast<size_t>(quantizer.channels);
    means.resize(2 * (before + n));
    cholesky.resize(3 * (before + n));
    colors.resize(channels * (before + n));
    gi::dequantize(quantizer, layer, 1, means.data() + 2 * before, cholesky.data() + 3 * before,
                   colors.data() + channels * before);
  }
  const gi::Source source{means.data(),       cholesky.data(),
                          colors.data(),      static_cast<int>(encoded.gaussians),
                          quantizer.channels, q_max};
  const gi::Part all{0, 0, quantizer.height, quantizer.width};
  work = gi::work(source, {0, 0, quantizer.height, quantizer.width}, all, 1).whole;
  return work <= most_work;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  FuzzedDataProvider input(data, size);
  fuzz::Parameters parameters;
  const gi::Quantizer quantizer = fuzz::make_quantizer(input, 200, parameters);
  const auto q_max = static_cast<uint16_t>(fuzz::extreme_integer(input, 1, 65535));
  gi::DecodeRequest request{quantizer.height, quantizer.width, {}, 0, gi::PixelKind::bytes, 1,
                            most_work};
  request.kind = static_cast<gi::PixelKind>(input.ConsumeIntegralInRange<int>(1, 3));
  if (input.ConsumeBool()) {
    request.height = input.ConsumeIntegralInRange<int>(1, 200);
    request.width = input.ConsumeIntegralInRange<int>(1, 200);
  }
  request.part = {0, 0, request.height, request.width};
  fuzz::Bytes background;
  for (int k = 0; k < quantizer.channels; ++k) {
    fuzz::append_little(background, input.ConsumeIntegral<uint16_t>(), 2);
  }
  Encoded encoded;
  try {
    encoded = encode_layers(input, quantizer);
  } catch (const std::out_of_range&) {
    return 0;  // too uniform for a file
  }
  check_layers(quantizer, encoded);
  request.layers = encoded.layers.size();
  uint64_t work;
  if (!measure(quantizer, encoded, q_max / 2048.0, work)) return 0;

  fuzz::Bytes head = {1, 1, static_cast<uint8_t>(quantizer.channels - 1)};
  fuzz::append_varint(head, static_cast<uint64_t>(quantizer.height));
  fuzz::append_varint(head, static_cast<uint64_t>(quantizer.width));
  fuzz::append_varint(head, encoded.gaussians);
  head.push_back(static_cast<uint8_t>(encoded.layers.size()));
  fuzz::append_little(head, q_max, 2);
  fuzz::append_varint(head, work);
  head.push_back(static_cast<uint8_t>(parameters.color_index));
  head.push_back(static_cast<uint8_t>(parameters.shape_index));
  head.insert(head.end(), background.begin(), background.end());
  std::vector<fuzz::Chunk> chunks = {{"HEAD", head}};
  for (const fuzz::Bytes& payload : encoded.payloads) chunks.push_back({"LAYR", payload});
  const fuzz::Bytes file = fuzz::write_file(chunks);

  const fuzz::Bytes pixels = fuzz::same_on_all([&] { return draw(file, request); });
  REQUIRE(!pixels.empty() || request.height != quantizer.height ||
          request.width != quantizer.width);
  request.threads = 3;
  REQUIRE(draw(file, request) == pixels);
  if (pixels.empty()) return 0;
  // A part has the pixels of the whole.
  const gi::Part part{request.height / 3, request.width / 4, request.height - request.height / 3,
                      request.width - request.width / 4};
  request.part = part;
  const fuzz::Bytes crop = draw(file, request);
  REQUIRE(!crop.empty());
  const size_t value = gi::bytes_per_value(request.kind) * static_cast<size_t>(quantizer.channels);
  const size_t row = static_cast<size_t>(part.width) * value;
  for (int y = 0; y < part.height; ++y) {
    const size_t at = (static_cast<size_t>(part.top + y) * static_cast<size_t>(request.width) +
                       static_cast<size_t>(part.left)) *
                      value;
    REQUIRE(std::equal(crop.begin() + static_cast<ptrdiff_t>(static_cast<size_t>(y) * row),
                       crop.begin() + static_cast<ptrdiff_t>((static_cast<size_t>(y) + 1) * row),
                       pixels.begin() + static_cast<ptrdiff_t>(at)));
  }
  return 0;
}
