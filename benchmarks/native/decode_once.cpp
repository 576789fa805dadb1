// Decodes a file, once to warm up and once to be counted: what instructions.py runs in valgrind.
#include <cstdio>
#include <fstream>
#include <iterator>
#include <vector>

#include "file/picture_decoder.h"
#include "simd/dispatch.h"

namespace {

gi::PictureDecoder decoder;
std::vector<uint8_t> data, out;

__attribute__((noinline)) bool decode() {
  constexpr gi::FileLimits limits{1 << 28,           1 << 16,           1 << 24,
                                  uint64_t{1} << 32, uint64_t{1} << 32, uint64_t{1} << 34};
  gi::PictureFile& file = decoder.file;
  if (!gi::read_picture_file(data.data(), data.size(), limits, file)) return false;
  const int height = file.quantizer.height, width = file.quantizer.width;
  out.resize(static_cast<size_t>(height) * static_cast<size_t>(width) * gi::max_channels);
  const gi::DecodeRequest request{
      height, width,     {0, 0, height, width}, file.payloads.size(), gi::PixelKind::bytes,
      1,      UINT64_MAX};
  return decoder.draw(file, request, out.data()).drawn;
}

}  // namespace

// A name of its own, which callgrind starts and stops at.
extern "C" __attribute__((noinline)) bool decode_once() { return decode(); }

int main(int count, char** arguments) {
  if (count != 3 || !gi::select_kernels(arguments[1])) {
    std::fprintf(stderr, "decode_once INSTRUCTION_SET FILE\n");
    return 2;
  }
  std::ifstream file(arguments[2], std::ios::binary);
  data.assign(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
  return decode() && decode_once() ? 0 : 1;
}
