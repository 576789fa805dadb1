#include <algorithm>
#include <atomic>
#include <thread>

#include "kernels.h"
#include "layer.h"
#include "layer_streams.h"
#include "pool.h"

namespace gi {
namespace {

// A little-endian base-128 number of at most 5 bytes; false at the end of the bytes, and for a
// number that is longer than it has to be.
bool read_varint(const uint8_t*& bytes, size_t& size, uint64_t& value) {
  value = 0;
  for (int shift = 0; shift < 35; shift += 7) {
    if (size == 0) return false;
    const uint8_t byte = *bytes++;
    --size;
    value |= uint64_t{byte & 127u} << shift;
    if (byte < 128) return byte != 0 || shift == 0;
  }
  return false;
}

// How far one thread has come, for another to wait for.
class Progress {
 public:
  // Tells at the end of a scope, however it ends, that there will be no more steps.
  class End {
   public:
    explicit End(Progress& progress) : progress_(progress) {}
    ~End() { progress_.ended_.store(true, std::memory_order_release); }
    End(const End&) = delete;
    End& operator=(const End&) = delete;

   private:
    Progress& progress_;
  };

  void step() { count_.fetch_add(1, std::memory_order_release); }
  size_t count() const { return count_.load(std::memory_order_acquire); }

  // False if it ended before.
  bool wait_for(size_t count) const {
    while (this->count() < count) {
      if (ended_.load(std::memory_order_acquire)) return this->count() >= count;
      std::this_thread::yield();
    }
    return true;
  }

 private:
  std::atomic<size_t> count_{0};
  std::atomic<bool> ended_{false};
};

// Takes a layer's bytes apart. `most`: how many Gaussians it may have.
bool parse(const uint8_t* bytes, size_t size, size_t begin, size_t most, LayerPart& part) {
  const size_t whole = size;
  if (size < 2) return false;
  const uint32_t present = bytes[0] | static_cast<uint32_t>(bytes[1]) << 8;
  bytes += 2;
  size -= 2;
  part.begin = part.end = begin;
  for (int j = precisions - 1; j >= 0; --j) {
    part.counts[j] = 0;
    if (!(present >> j & 1)) continue;
    uint64_t count;
    if (!read_varint(bytes, size, count)) return false;
    if (count == 0 || count > most || count > most_per_byte * whole) return false;
    most -= count;
    part.counts[j] = static_cast<uint32_t>(count);
    part.end += count;
  }
  uint64_t positions, colors;
  if (!read_varint(bytes, size, positions) || !read_varint(bytes, size, colors) ||
      positions > size || colors > size - positions) {
    return false;
  }
  part.positions = {bytes, positions};
  part.colors = {bytes + positions, colors};
  part.shapes = {bytes + positions + colors, size - positions - colors};
  return part.end - part.begin <= most_per_byte * whole;
}

}  // namespace

size_t decode_layers(const Quantizer& quantizer, const std::vector<LayerBytes>& layers,
                     int announced, size_t most, int threads, Layer& out,
                     std::vector<size_t>& ends) {
  std::vector<LayerPart> parts;
  for (const auto& [data, size] : layers) {
    LayerPart part;
    const size_t begin = parts.empty() ? 0 : parts.back().end;
    if (!parse(data, size, begin, most - begin, part)) break;
    parts.push_back(part);
  }
  const size_t n = parts.empty() ? 0 : parts.back().end;
  out.precision.resize(n);
  out.position.resize(2 * n);
  out.color.resize(static_cast<size_t>(quantizer.channels) * n);
  out.shape.resize(3 * n);
  for (const LayerPart& part : parts) {
    auto at = out.precision.begin() + static_cast<ptrdiff_t>(part.begin);
    for (int j = precisions - 1; j >= 0; --j) {
      at = std::fill_n(at, part.counts[j], static_cast<uint8_t>(j));
    }
  }
  const std::unique_ptr<LayerStreams> streams = kernels().layer_streams(quantizer, announced);
  // Colors on one thread, positions and shapes on another: about the same work. Shapes need the
  // colors of their layer. A call that runs on one thread decodes all colors first.
  Progress colored, finished;
  parallel(2, resolve_threads(threads), [&](int task) {
    if (task == 0) {
      const Progress::End end(colored);
      for (const LayerPart& part : parts) {
        if (!streams->colors(part, out)) break;
        colored.step();
      }
      return;
    }
    for (size_t i = 0; i < parts.size(); ++i) {
      if (!streams->positions(parts[i], out) || !colored.wait_for(i + 1) ||
          !streams->shapes(parts[i], out)) {
        break;
      }
      finished.step();
    }
  });
  const size_t good = finished.count();
  ends.clear();
  for (size_t i = 0; i < good; ++i) ends.push_back(parts[i].end);
  out.precision.resize(ends.empty() ? 0 : ends.back());
  return good;
}

}  // namespace gi
