// The engine without Python, for conformance/run.py, to be compiled for other machines.
//
//   engine_decoder --serve               answers requests from stdin, as docs/conformance.md says
//   engine_decoder WHAT INPUT OUTPUT     answers one
//
// It reads files of layers, with their grain. Metadata, tiled files and the paper's profile are
// read in Python. It is built from all sources of the engine that have no Python in them.
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iostream>
#include <iterator>
#include <string>
#include <type_traits>
#include <vector>

#include "base/byte_reader.h"
#include "file/picture_decoder.h"
#include "grain/add_grain.h"
#include "grain/grain_levels.h"
#include "layer/decoder.h"
#include "layer/dequantize.h"

namespace {

using Bytes = std::vector<uint8_t>;

constexpr gi::FileLimits limits{1 << 24,           1 << 16,           1 << 20,
                                uint64_t{1} << 32, uint64_t{1} << 32, uint64_t{1} << 32};

enum class Status { ok, skip, error };

Bytes read(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

// A file without the chunks that the engine leaves to Python, and what was in the grain's.
struct Source {
  Bytes data;
  std::vector<Bytes> grains;
  bool deep = false;
};

Source without_python(const Bytes& data) {
  Source source;
  gi::ByteReader reader{data.data(), data.data() + data.size()};
  const uint8_t* start = reader.take(8);
  const uint8_t* kept = data.data();
  while (start && reader.left() > 0) {
    const uint8_t* type = reader.take(4);
    const uint64_t length = reader.varint();
    const uint8_t* payload = reader.take(length);
    if (!payload || !reader.take(4)) break;
    const std::string name(reinterpret_cast<const char*>(type), 4);
    if (name == "HEAD" && length > 2) source.deep = payload[2] & 4;
    if (name == "gRAN") source.grains.emplace_back(payload, payload + length);
    if (name == "gRAN" || name == "iCCP" || name == "eXIF" || name == "xXMP") {
      source.data.insert(source.data.end(), kept, type);
      kept = reader.at;
    }
  }
  source.data.insert(source.data.end(), kept, data.data() + data.size());
  return source;
}

void append(Bytes& out, const std::string& text) {
  out.insert(out.end(), text.begin(), text.end());
}

// Appends numbers with the least byte first, whatever the machine's order is.
template <typename T>
void append_little(Bytes& out, const std::vector<T>& numbers) {
  using Bits = std::conditional_t<sizeof(T) == 8, uint64_t, uint32_t>;
  for (const T& number : numbers) {
    Bits bits;
    std::memcpy(&bits, &number, sizeof bits);
    for (size_t i = 0; i < sizeof bits; ++i) out.push_back(static_cast<uint8_t>(bits >> 8 * i));
  }
}

bool decode_layers(const gi::PictureFile& file, gi::Layer& layer) {
  gi::LayerDecoder decoder;
  std::vector<size_t> ends;
  const size_t whole =
      decoder.decode(file.quantizer, file.payloads, file.layers, file.gaussians, 1, layer, ends);
  return whole == file.payloads.size() && layer.count() == file.gaussians;
}

Status write_integers(const gi::PictureFile& file, Bytes& out) {
  gi::Layer layer;
  if (!decode_layers(file, layer)) return Status::error;
  const auto channels = static_cast<size_t>(file.quantizer.channels);
  for (size_t i = 0; i < layer.count(); ++i) {
    std::string line = std::to_string(layer.precision[i]);
    const auto add = [&](const std::vector<int32_t>& values, size_t width) {
      for (size_t k = 0; k < width; ++k) line += ' ' + std::to_string(values[width * i + k]);
    };
    add(layer.position, 2);
    add(layer.color, channels);
    add(layer.shape, 3);
    append(out, line + '\n');
  }
  return Status::ok;
}

Status write_numbers(const gi::PictureFile& file, Bytes& out) {
  gi::Layer layer;
  if (!decode_layers(file, layer)) return Status::error;
  const size_t n = layer.count();
  std::vector<double> means(2 * n), cholesky(3 * n);
  std::vector<float> colors(static_cast<size_t>(file.quantizer.channels) * n);
  gi::dequantize(file.quantizer, layer, 1, means.data(), cholesky.data(), colors.data());
  append_little(out, means);
  append_little(out, cholesky);
  append_little(out, colors);
  return Status::ok;
}

template <typename T>
bool draw_grain(const Bytes& payload, const gi::PictureFile& file, std::vector<T>& pixels) {
  const gi::Quantizer& q = file.quantizer;
  if (payload.size() < 5 || payload[1] < 3 || payload[1] > 8) return false;
  gi::Grain grain{q.height, q.width, payload[0], payload[1], {payload[2], payload[3], payload[4]},
                  {}};
  const auto rows = static_cast<size_t>(grain.rows()),
             columns = static_cast<size_t>(grain.columns());
  if (rows * columns > 1 << 18) return false;
  grain.levels.resize(rows * columns * gi::grain_bands);
  if (!gi::decode_grain_levels(payload.data() + 5, payload.size() - 5, rows, columns,
                               grain.levels.data())) {
    return false;
  }
  const gi::Part all{0, 0, q.height, q.width};
  gi::add_grain(grain, pixels.data(), q.channels, all, q.height, q.width, 1);
  return true;
}

template <typename T>
Status write_pixels(gi::PictureDecoder& decoder, const Source& source, bool with_grain,
                    Bytes& out) {
  const gi::PictureFile& file = decoder.file;
  const gi::Quantizer& q = file.quantizer;
  const auto kind = sizeof(T) == 2 ? gi::PixelKind::words : gi::PixelKind::bytes;
  const gi::DecodeRequest request{
      q.height, q.width, {0, 0, q.height, q.width}, file.payloads.size(), kind, 2, UINT64_MAX};
  std::vector<T> pixels(static_cast<size_t>(q.height) * static_cast<size_t>(q.width) *
                        static_cast<size_t>(q.channels));
  const gi::DecodedPicture drawn = decoder.draw(file, request, pixels.data());
  if (!drawn.drawn || drawn.gaussians != file.gaussians) return Status::error;
  if (with_grain && source.grains.empty()) return Status::skip;
  if (with_grain && (source.grains.size() > 1 || !draw_grain(source.grains[0], file, pixels))) {
    return Status::error;
  }
  const char* names[] = {"GRAYSCALE", "GRAYSCALE_ALPHA", "RGB", "RGB_ALPHA"};
  append(out, "P7\nWIDTH " + std::to_string(q.width) + "\nHEIGHT " + std::to_string(q.height) +
                  "\nDEPTH " + std::to_string(q.channels) + "\nMAXVAL " +
                  (sizeof(T) == 2 ? "65535" : "255") + "\nTUPLTYPE " + names[q.channels - 1] +
                  "\nENDHDR\n");
  for (const T sample : pixels) {
    if (sizeof(T) == 2) out.push_back(static_cast<uint8_t>(sample >> 8));
    out.push_back(static_cast<uint8_t>(sample));
  }
  return Status::ok;
}

Status answer(const std::string& what, const std::string& input, Bytes& out) {
  const bool pixels = what == "pixels", grain = what == "grain";
  if (!pixels && !grain && what != "integers" && what != "numbers") return Status::skip;
  const Source source = without_python(read(input));
  gi::PictureDecoder decoder;
  gi::PictureFile& file = decoder.file;
  if (!gi::read_picture_file(source.data.data(), source.data.size(), limits, file)) {
    return Status::error;
  }
  if (what == "integers") return write_integers(file, out);
  if (what == "numbers") return write_numbers(file, out);
  return source.deep ? write_pixels<uint16_t>(decoder, source, grain, out)
                     : write_pixels<uint8_t>(decoder, source, grain, out);
}

bool write(const std::string& path, const Bytes& out) {
  std::ofstream file(path, std::ios::binary);
  file.write(reinterpret_cast<const char*>(out.data()), static_cast<std::streamsize>(out.size()));
  return file.good();
}

}  // namespace

int main(int count, char** arguments) {
  if (count == 4) {
    Bytes out;
    const Status status = answer(arguments[1], arguments[2], out);
    if (status == Status::ok) return write(arguments[3], out) ? 0 : 1;
    if (status == Status::skip) return 77;
    std::fprintf(stderr, "the file is refused\n");
    return 1;
  }
  for (std::string line; std::getline(std::cin, line);) {
    const size_t first = line.find('\t'), second = line.find('\t', first + 1);
    if (second == std::string::npos) return 2;
    Bytes out;
    const Status status =
        answer(line.substr(0, first), line.substr(first + 1, second - first - 1), out);
    if (status == Status::ok && !write(line.substr(second + 1), out)) return 1;
    const char* words[] = {"ok", "skip", "error ? the file is refused"};
    std::cout << words[static_cast<int>(status)] << std::endl;
  }
  return 0;
}
