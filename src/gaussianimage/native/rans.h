// The entropy coder: interleaved rANS with 32-bit states and 16-bit words.
//
// Symbols take turns on `States` states that share one stream of words: symbol i uses state
// i mod States, so a decoder works on several at once. A stream is the states as the decoder starts
// with them (32 bits each), then the words in the order that it reads them, all little-endian. The
// encoder starts every state at 2^16 and works backwards, so a decoder that has read everything
// is back at 2^16 in every state and has no word left: anything else means that the stream is
// damaged, or was decoded with other models.
//
// Encoder, Decoder and Meter have the same two calls, so that one function template describes a
// syntax once for writing, reading and measuring:
//     uint32_t code(Model&, uint32_t symbol)      a symbol by an adaptive model
//     uint32_t bits(uint32_t value, int count)    1…15 raw bits
// Both return what was coded; the decoder ignores the argument. The rANS step is Duda's
// (arXiv 1311.2540), as everyone writes it.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <vector>

#include "model.h"

namespace gi::GI_ISA {

constexpr uint32_t state_start = 1u << 16;  // states live in 2^16…2^32 - 1

template <int States = 2>
class Encoder {
 public:
  static constexpr bool decodes = false;

  uint32_t code(Model& model, uint32_t symbol) {
    if (symbol >= static_cast<uint32_t>(model.alphabet())) reject();
    intervals_.push_back(model.interval(symbol));
    model.update(symbol);
    return symbol;
  }

  uint32_t bits(uint32_t value, int count) {
    const int shift = slot_bits - count;
    if (value >> count != 0) reject();
    intervals_.push_back({value << shift, 1u << shift});
    return value;
  }

  // A value that the syntax cannot hold is the caller's mistake.
  [[noreturn]] void reject() { throw std::out_of_range("value too large for the entropy coder"); }

  // The stream. The encoder is then empty and can be used again.
  std::vector<uint8_t> finish() {
    uint32_t states[States];
    for (uint32_t& state : states) state = state_start;
    std::vector<uint16_t> words;  // last one first
    for (size_t i = intervals_.size(); i-- > 0;) {
      const Interval interval = intervals_[i];
      uint32_t& x = states[i % States];
      if (x >= uint64_t{interval.size} << 17) {
        words.push_back(static_cast<uint16_t>(x));
        x >>= 16;
      }
      x = (x / interval.size << slot_bits) + x % interval.size + interval.start;
    }
    intervals_.clear();

    std::vector<uint8_t> bytes;
    bytes.reserve(4 * States + 2 * words.size());
    for (const uint32_t x : states) {
      for (int shift = 0; shift < 32; shift += 8) bytes.push_back(static_cast<uint8_t>(x >> shift));
    }
    for (size_t i = words.size(); i-- > 0;) {
      bytes.push_back(static_cast<uint8_t>(words[i]));
      bytes.push_back(static_cast<uint8_t>(words[i] >> 8));
    }
    return bytes;
  }

 private:
  std::vector<Interval> intervals_;
};

// Reads any bytes without harm: past the end it reads zeros, and symbols are always in the
// alphabet of their model. Whether what came out means anything, finished_cleanly() tells; a
// caller that decodes a number of symbols that the stream itself announced should look at
// failed() now and then, to stop early.
template <int States = 2>
class Decoder {
 public:
  static constexpr bool decodes = true;

  // The bytes must outlive the decoder.
  Decoder(const uint8_t* bytes, size_t size) {
    if (size < 4 * States || size % 2 != 0) {
      rejected_ = true;
      return;
    }
    for (int s = 0; s < States; ++s, bytes += 4) {
      states_[s] = word(bytes) | word(bytes + 2) << 16;
      if (states_[s] < state_start) rejected_ = true;
    }
    words_ = bytes;
    count_ = size / 2 - 2 * States;
  }

  uint32_t code(Model& model, uint32_t = 0) {
    const uint32_t x = states_[0];
    const uint32_t slot = x & ((1u << slot_bits) - 1);
    Interval interval;
    const uint32_t symbol = model.decode(slot, interval);
    advance(interval.size * (x >> slot_bits) + slot - interval.start);
    return symbol;
  }

  uint32_t bits(uint32_t, int count) {
    const uint32_t x = states_[0];
    const int shift = slot_bits - count;
    const uint32_t slot = x & ((1u << slot_bits) - 1);
    const uint32_t below = slot & ((1u << shift) - 1);
    advance((x >> slot_bits << shift) + below);
    return slot >> shift;
  }

  // For syntax on top: the stream holds something impossible.
  void reject() { rejected_ = true; }

  bool failed() const { return rejected_ || next_ > count_; }

  // The stream ended where the symbols did, and the states agree.
  bool finished_cleanly() const {
    for (const uint32_t x : states_) {
      if (x != state_start) return false;
    }
    return !rejected_ && next_ == count_;
  }

 private:
  static uint32_t word(const uint8_t* p) { return p[0] | static_cast<uint32_t>(p[1]) << 8; }

  // Puts the state back, filled up, at the end of the queue.
  void advance(uint32_t x) {
    if (x < state_start) {
      x <<= 16;
      if (next_ < count_) x |= word(words_ + 2 * next_);
      ++next_;
    }
    for (int s = 0; s + 1 < States; ++s) states_[s] = states_[s + 1];
    states_[States - 1] = x;
  }

  uint32_t states_[States] = {};  // in the order in which they come up
  const uint8_t* words_ = nullptr;
  size_t count_ = 0;
  size_t next_ = 0;  // counts on past the end, so that an overrun shows
  bool rejected_ = false;
};

// Adds up what an Encoder would spend, in bits: the stream has this many, rounded up to words, and
// about 3 bytes more per state.
class Meter {
 public:
  static constexpr bool decodes = false;

  uint32_t code(Model& model, uint32_t symbol) {
    bits_ += slot_bits - std::log2(static_cast<double>(model.interval(symbol).size));
    model.update(symbol);
    return symbol;
  }

  uint32_t bits(uint32_t value, int count) {
    bits_ += count;
    return value;
  }

  void reject() {}

  double total() const { return bits_; }

 private:
  double bits_ = 0;
};

}  // namespace gi::GI_ISA
