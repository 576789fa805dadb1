#include "layer/decoder.h"

#include <algorithm>
#include <cstdint>
#include <exception>
#include <mutex>

#include "base/interrupt.h"
#include "base/pool.h"
#include "base/spin_wait.h"
#include "simd/dispatch.h"

namespace gi {
namespace {

constexpr size_t max_kept =
    200000;  // Gaussians whose memory to decode in is kept for the next file

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

// The streams of all layers, shared out between threads. Streams of one kind follow one after
// another, and the shapes of a layer come after its colors; else any thread may take what is there.
class StreamQueue {
 public:
  StreamQueue(const std::vector<ParsedLayer>& parts, LayerStreams& decoder, Layer& out)
      : parts_(parts), decoder_(decoder), out_(out) {}

  // Decodes until nothing is left that could be decoded.
  void run() {
    std::unique_lock lock(mutex_);
    SpinWait waiting;
    for (;;) {
      check_interrupt();
      const int kind = next();
      if (kind < 0) {
        if (!any_taken()) return;
        lock.unlock();
        waiting.step();  // for a stream that another thread has
        lock.lock();
        continue;
      }
      waiting = SpinWait{};
      taken_[kind] = true;
      const ParsedLayer& part = parts_[done_[kind]];
      lock.unlock();
      bool good = false;
      std::exception_ptr error;
      try {
        good = kind == colors      ? decoder_.colors(part, out_)
               : kind == positions ? decoder_.positions(part, out_)
                                   : decoder_.shapes(part, out_);
      } catch (...) {
        error = std::current_exception();
      }
      lock.lock();
      // After an error too: the other thread waits for it.
      taken_[kind] = false;
      if (good) {
        ++done_[kind];
      } else {
        last_ = std::min(last_, done_[kind]);
      }
      if (error) std::rethrow_exception(error);
    }
  }

  // Layers that are whole.
  size_t whole() const { return *std::min_element(done_, done_ + kinds); }

 private:
  enum { colors, shapes, positions, kinds };

  // The kind of stream to decode next, -1 if there is none for now. What waits for others goes
  // first, so that no thread has the shapes of a large last layer to itself in the end.
  int next() const {
    for (int kind = 0; kind < kinds; ++kind) {
      const size_t limit = kind == shapes ? done_[colors] : parts_.size();
      if (!taken_[kind] && done_[kind] < std::min(limit, last_)) return kind;
    }
    return -1;
  }

  bool any_taken() const { return taken_[colors] || taken_[positions] || taken_[shapes]; }

  const std::vector<ParsedLayer>& parts_;
  LayerStreams& decoder_;
  Layer& out_;
  std::mutex mutex_;
  size_t done_[kinds] = {};  // streams of each kind
  bool taken_[kinds] = {};   // whether a thread has one
  size_t last_ = SIZE_MAX;   // layers from this one on are lost
};

// Takes a layer's bytes apart. `most`: how many Gaussians it may have.
bool parse(const uint8_t* bytes, size_t size, size_t begin, size_t most, ParsedLayer& part) {
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
    if (count == 0 || count > most || count > max_gaussians_per_byte * whole) return false;
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
  return part.end - part.begin <= max_gaussians_per_byte * whole;
}

}  // namespace

size_t LayerDecoder::decode(const Quantizer& quantizer, const std::vector<LayerBytes>& layers,
                            int announced, size_t most, int threads, Layer& out,
                            std::vector<size_t>& ends) {
  parts_.clear();
  for (const auto& [data, size] : layers) {
    ParsedLayer part;
    const size_t begin = parts_.empty() ? 0 : parts_.back().end;
    if (!parse(data, size, begin, most - begin, part)) break;
    parts_.push_back(part);
  }
  const size_t n = parts_.empty() ? 0 : parts_.back().end;
  out.precision.resize(n);
  out.position.resize(2 * n);
  out.color.resize(static_cast<size_t>(quantizer.channels) * n);
  out.shape.resize(3 * n);
  for (const ParsedLayer& part : parts_) {
    auto at = out.precision.begin() + static_cast<ptrdiff_t>(part.begin);
    for (int j = precisions - 1; j >= 0; --j) {
      at = std::fill_n(at, part.counts[j], static_cast<uint8_t>(j));
    }
  }
  if (!streams_) streams_ = kernels().make_layer_streams();
  streams_->begin(quantizer, announced);
  StreamQueue work(parts_, *streams_, out);
  parallel(2, resolve_threads(threads), [&](int) { work.run(); });
  if (n > max_kept) streams_.reset();
  const size_t good = work.whole();
  ends.clear();
  for (size_t i = 0; i < good; ++i) ends.push_back(parts_[i].end);
  out.precision.resize(ends.empty() ? 0 : ends.back());
  return good;
}

}  // namespace gi
