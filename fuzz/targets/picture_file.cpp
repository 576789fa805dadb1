// Any bytes as a file: the native reader, the layers, the map of alpha and the pixels.
//
// The mutator changes chunks and puts lengths and checksums right, so that changes get behind them.
// An accepted file must give the same pixels on every instruction set.
#include <algorithm>
#include <cstdint>
#include <random>

#include "file/picture_decoder.h"
#include "support/container.h"
#include "support/instruction_sets.h"

extern "C" size_t LLVMFuzzerMutate(uint8_t* data, size_t size, size_t most);

namespace {

// Small, so that an input takes milliseconds.
constexpr gi::FileLimits limits{1 << 16, 1 << 12, 1 << 12, 1 << 20, 1 << 20, 1 << 22};

// What is drawn of a file follows from its bytes, so that an input is a file and nothing else.
gi::DecodeRequest choose_request(std::minstd_rand& random, const gi::PictureFile& file) {
  const auto pick = [&](int low, int high) {
    return std::uniform_int_distribution<int>(low, high)(random);
  };
  const int height = file.quantizer.height, width = file.quantizer.width;
  gi::DecodeRequest request{height, width,      {}, file.payloads.size(), gi::PixelKind::bytes,
                            1,      limits.work};
  if (pick(0, 1)) {
    request.height = pick(1, std::min(2 * height, 300));
    request.width = pick(1, std::min(2 * width, 300));
  }
  request.part = {0, 0, request.height, request.width};
  if (pick(0, 1)) {
    request.part.top = pick(0, request.height - 1);
    request.part.left = pick(0, request.width - 1);
    request.part.height = pick(1, request.height - request.part.top);
    request.part.width = pick(1, request.width - request.part.left);
  }
  if (pick(0, 3) == 0)
    request.layers = static_cast<size_t>(pick(0, static_cast<int>(request.layers)));
  request.kind = static_cast<gi::PixelKind>(pick(1, 3));
  request.threads = pick(1, 2);
  return request;
}

// Returns the pixels behind a byte for each property of the result.
fuzz::Bytes draw(const uint8_t* data, size_t size, bool nominal) {
  gi::PictureDecoder decoder;
  gi::PictureFile& file = decoder.file;
  if (!gi::read_picture_file(data, size, limits, file)) return {};
  std::minstd_rand random(fuzz::crc32(data, size));
  gi::DecodeRequest request = choose_request(random, file);
  if (nominal) {
    const int height = file.quantizer.height, width = file.quantizer.width;
    request = {
        height, width,      {0, 0, height, width}, file.payloads.size(), gi::PixelKind::bytes,
        1,      limits.work};
  }
  const size_t values = static_cast<size_t>(request.part.height) *
                        static_cast<size_t>(request.part.width) *
                        static_cast<size_t>(file.quantizer.channels);
  fuzz::Bytes pixels(values * gi::bytes_per_value(request.kind));
  const gi::DecodedPicture picture = decoder.draw(file, request, pixels.data());
  REQUIRE(picture.layers <= request.layers);
  REQUIRE(picture.gaussians <= file.gaussians);
  REQUIRE(!picture.drawn || (picture.good_map && picture.layers == request.layers));
  if (!picture.drawn) pixels.clear();
  pixels.insert(pixels.begin(),
                {picture.drawn, picture.honest, picture.good_map,
                 static_cast<uint8_t>(picture.layers), static_cast<uint8_t>(picture.gaussians)});
  return pixels;
}

size_t copy(const fuzz::Bytes& file, uint8_t* data, size_t most) {
  if (file.size() > most) return 0;
  std::copy(file.begin(), file.end(), data);
  return file.size();
}

}  // namespace

extern "C" size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size, size_t most,
                                          unsigned int seed) {
  std::minstd_rand random(seed);
  const auto pick = [&](size_t count) { return random() % count; };
  std::vector<fuzz::Chunk> chunks = fuzz::read_chunks(data, size);
  if (chunks.empty() || pick(50) == 0) return LLVMFuzzerMutate(data, size, most);
  fuzz::Chunk& chosen = chunks[pick(chunks.size())];
  switch (pick(12)) {
    case 0:
      chunks.push_back(chunks[pick(chunks.size())]);
      break;
    case 1:
      chunks.erase(chunks.begin() + static_cast<ptrdiff_t>(pick(chunks.size())));
      break;
    case 2:
      std::swap(chunks[pick(chunks.size())], chunks[pick(chunks.size())]);
      break;
    case 3:
      chosen.type[pick(4)] = static_cast<char>(pick(2) ? 'A' + pick(26) : 'a' + pick(26));
      break;
    default: {
      const size_t before = chosen.payload.size();
      chosen.payload.resize(before + 64);
      chosen.payload.resize(LLVMFuzzerMutate(chosen.payload.data(), before, before + 64));
    }
  }
  const size_t written = copy(fuzz::write_file(chunks), data, most);
  return written > 0 ? written : LLVMFuzzerMutate(data, size, most);
}

// Takes a number of chunks from one file, and the rest from another.
extern "C" size_t LLVMFuzzerCustomCrossOver(const uint8_t* data1, size_t size1,
                                            const uint8_t* data2, size_t size2, uint8_t* out,
                                            size_t most, unsigned int seed) {
  std::minstd_rand random(seed);
  std::vector<fuzz::Chunk> chunks = fuzz::read_chunks(data1, size1);
  const std::vector<fuzz::Chunk> other = fuzz::read_chunks(data2, size2);
  chunks.resize(std::min(chunks.size(), size_t{1} + random() % 3));
  const size_t from = random() % 3;
  for (size_t i = from; i < other.size(); ++i) chunks.push_back(other[i]);
  return copy(fuzz::write_file(chunks), out, most);
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  fuzz::same_on_all([&] { return draw(data, size, true); });
  fuzz::same_on_all([&] { return draw(data, size, false); });
  return 0;
}
