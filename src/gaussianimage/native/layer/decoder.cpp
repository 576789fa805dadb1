#include "layer/decoder.h"

#include <algorithm>
#include <cstdint>
#include <exception>
#include <mutex>

#include "base/byte_reader.h"
#include "base/interrupt.h"
#include "base/pool.h"
#include "base/spin_wait.h"
#include "simd/dispatch.h"

namespace gi {
namespace {

constexpr size_t max_kept = 200000;  // the memory for more Gaussians is not kept for the next file

// The streams of all layers, which threads share. Streams of one kind are decoded in order, and the
// shapes of a layer after its colors; otherwise a thread takes any stream.
class StreamQueue {
 public:
  StreamQueue(const std::vector<ParsedLayer>& parts, LayerStreams& decoder, Layer& out)
      : parts_(parts), decoder_(decoder), out_(out) {}

  // Decodes until no stream is left that could be decoded.
  void run() {
    std::unique_lock lock(mutex_);
    SpinWait waiting;
    for (;;) {
      check_interrupt();
      const int kind = next();
      if (kind < 0) {
        if (!any_taken()) return;
        lock.unlock();
        waiting.step();  // another thread decodes the stream that comes first
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
      // Clear this after an error too, because the other thread waits for it.
      taken_[kind] = false;
      if (good) {
        ++done_[kind];
      } else {
        last_ = std::min(last_, done_[kind]);
      }
      if (error) std::rethrow_exception(error);
    }
  }

  // The number of complete layers.
  size_t whole() const { return *std::min_element(done_, done_ + kinds); }

 private:
  enum { colors, shapes, positions, kinds };

  // Returns the kind of stream to decode next, or -1 if there is none now. Colors and shapes come
  // first, so that in the end no thread is left alone with the shapes of a large last layer.
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
  size_t done_[kinds] = {};  // streams of each kind that are decoded

  bool taken_[kinds] = {};  // whether a thread decodes one now
  size_t last_ = SIZE_MAX;  // the first damaged layer
};

// Parses a layer's bytes up to its streams; `most` is how many Gaussians it may have. Returns false
// if they are damaged.
bool parse(const uint8_t* bytes, size_t size, size_t begin, size_t most, ParsedLayer& layer) {
  constexpr int varint_bytes = 5;
  ByteReader reader{bytes, bytes + size};
  const uint64_t present = reader.little(2);
  if (!reader.good) return false;
  layer.begin = layer.end = begin;
  for (int j = precisions - 1; j >= 0; --j) {
    layer.counts[j] = 0;
    if (!(present >> j & 1)) continue;
    const uint64_t count = reader.varint(varint_bytes);
    if (count == 0 || count > most || count > max_gaussians_per_byte * size) return false;
    most -= count;
    layer.counts[j] = static_cast<uint32_t>(count);
    layer.end += count;
  }
  const uint64_t positions = reader.varint(varint_bytes), colors = reader.varint(varint_bytes);
  layer.positions = {reader.take(positions), static_cast<size_t>(positions)};
  layer.colors = {reader.take(colors), static_cast<size_t>(colors)};
  layer.shapes = {reader.at, reader.left()};
  return reader.good && layer.end - layer.begin <= max_gaussians_per_byte * size;
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
