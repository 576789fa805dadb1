// The entropy coder: interleaved rANS with 32-bit states and 16-bit words, and loose bits after the
// symbols.
//
// Two states share one stream of words: symbol i uses state i mod 2, so a decoder works on two
// symbols at once. Bits that no model predicts need no coder: they are loose bits, which a decoder
// reads when it knows all symbols.
//
// A stream consists of the states with which the decoder starts (32 bits each), the words in the
// order in which it reads them, and the loose bits, all little-endian. The encoder works backwards
// and starts every state at 2^16 plus 16 loose bits, so no bits of the states are wasted. A decoder
// that has read all symbols arrives at the same states. They hold the first loose bits, beginning
// with the state whose turn it is; the bytes after the words hold the rest, and the last byte is
// padded with zeros. If anything else is found, the stream is damaged or was decoded with other
// models.
//
// Encoder, Decoder and Meter have the same three functions, so that one function template describes
// a syntax for writing, reading and measuring:
//     uint32_t code(Model&, uint32_t symbol)       a symbol by an adaptive model, or a SmallModel
//     uint32_t bits(uint32_t value, int count)     1…15 raw bits, among the symbols
//     uint32_t loose(uint32_t value, int count)    0…30 raw bits, after all symbols
// All return the coded value; the decoder ignores the argument. The rANS step is Duda's (arXiv
// 1311.2540).
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <vector>

#include "entropy/adaptive_model-isa.h"

#define GI_RANS_INLINE inline __attribute__((always_inline))

namespace gi::GI_ISA {

constexpr int states = 2;
constexpr uint32_t state_start = 1u << 16;  // states live in 2^16…2^32 - 1

class Encoder {
 public:
  static constexpr bool decodes = false;
  using Run = Encoder&;
  using Loose = Encoder&;

  template <typename AnyModel>
  uint32_t code(AnyModel& model, uint32_t symbol) {
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

  uint32_t loose(uint32_t value, int count) {
    if (static_cast<uint64_t>(value) >> count != 0) reject();
    for (int i = 0; i < count; ++i) loose_.push_back(value >> i & 1);
    return value;
  }

  // Reports a value that the syntax cannot hold, which is the caller's mistake.
  [[noreturn]] void reject() { throw std::out_of_range("value too large for the entropy coder"); }

  // Returns the stream. The encoder is then empty and can be used again.
  std::vector<uint8_t> finish() {
    size_t taken = 0;
    const auto take = [&](int count) {
      uint32_t value = 0;
      for (int i = 0; i < count && taken < loose_.size(); ++i) {
        value |= uint32_t{loose_[taken++]} << i;
      }
      return value;
    };
    uint32_t now[states];
    for (size_t i = 0; i < states; ++i) {
      now[(intervals_.size() + i) % states] = state_start + take(16);
    }
    std::vector<uint16_t> words;  // the last word comes first
    for (size_t i = intervals_.size(); i-- > 0;) {
      const Interval interval = intervals_[i];
      uint32_t& x = now[i % states];
      if (x >= uint64_t{interval.size} << 17) {
        words.push_back(static_cast<uint16_t>(x));
        x >>= 16;
      }
      x = (x / interval.size << slot_bits) + x % interval.size + interval.start;
    }
    intervals_.clear();

    std::vector<uint8_t> bytes;
    bytes.reserve(4 * states + 2 * words.size());
    for (const uint32_t x : now) {
      for (int shift = 0; shift < 32; shift += 8) bytes.push_back(static_cast<uint8_t>(x >> shift));
    }
    for (size_t i = words.size(); i-- > 0;) {
      bytes.push_back(static_cast<uint8_t>(words[i]));
      bytes.push_back(static_cast<uint8_t>(words[i] >> 8));
    }
    while (taken < loose_.size()) bytes.push_back(static_cast<uint8_t>(take(8)));
    loose_.clear();
    return bytes;
  }

 private:
  std::vector<Interval> intervals_;
  std::vector<uint8_t> loose_;
};

// Any bytes can be read safely: past the end it reads zeros, and symbols are always in the alphabet
// of their model. finished_cleanly() tells whether the stream was valid. A caller that decodes a
// number of symbols that the stream itself announced should check failed() now and then, to stop
// early. After loose bits there are no more symbols.
class Decoder {
 public:
  static constexpr bool decodes = true;

  // The bytes must outlive the decoder.
  Decoder(const uint8_t* bytes, size_t size) : next_(bytes), end_(bytes + size) {
    if (size < 4 * states) {
      rejected_ = true;
      next_ = end_;
      return;
    }
    for (int s = 0; s < states; ++s, next_ += 4) {
      states_[s] = word(next_) | word(next_ + 2) << 16;
      if (states_[s] < state_start) rejected_ = true;
    }
  }

  // Decodes a row of symbols with the states in registers, which is much faster than calls of the
  // decoder. The decoder must not be used while a Run exists.
  class Run {
   public:
    explicit Run(Decoder& decoder)
        : decoder_(decoder),
          now_(decoder.states_[0]),
          later_(decoder.states_[1]),
          next_(decoder.next_),
          last_(decoder.end_ - (decoder.next_ < decoder.end_)),
          rejected_(decoder.rejected_) {}
    ~Run() {
      decoder_.states_[0] = now_;
      decoder_.states_[1] = later_;
      decoder_.next_ = next_;
      decoder_.rejected_ = rejected_;
    }
    Run(const Run&) = delete;
    Run& operator=(const Run&) = delete;

    template <typename AnyModel>
    GI_RANS_INLINE uint32_t code(AnyModel& model, uint32_t = 0) {
      const uint32_t slot = now_ & ((1u << slot_bits) - 1);
      Interval interval;
      const uint32_t symbol = model.decode(slot, interval);
      advance(interval.size * (now_ >> slot_bits) + slot - interval.start);
      return symbol;
    }

    GI_RANS_INLINE uint32_t bits(uint32_t, int count) {
      const int shift = slot_bits - count;
      const uint32_t slot = now_ & ((1u << slot_bits) - 1);
      const uint32_t below = slot & ((1u << shift) - 1);
      advance((now_ >> slot_bits << shift) + below);
      return slot >> shift;
    }

   private:
    // Refills the state without an unpredictable branch, and makes the other state the next one.
    GI_RANS_INLINE void advance(uint32_t x) {
      const bool low = x < state_start;
      uint32_t filled = x << 16;
      if (__builtin_expect(next_ < last_, 1)) {
        filled |= word(next_);
        next_ += 2 * low;
      } else {
        rejected_ |= low;
      }
      x = low ? filled : x;
      now_ = later_;
      later_ = x;
    }

    Decoder& decoder_;
    uint32_t now_, later_;
    const uint8_t* next_;
    const uint8_t* const last_;  // the stream's last byte, at which no word begins
    bool rejected_;
  };

  uint32_t code(Model& model, uint32_t = 0) { return Run(*this).code(model); }
  uint32_t bits(uint32_t, int count) { return Run(*this).bits(0, count); }

  uint32_t loose(uint32_t, int count) { return Loose(*this).loose(0, count); }

  // Reads a row of loose bits with the decoder's state in registers.
  class Loose {
   public:
    explicit Loose(Decoder& decoder) : decoder_(decoder) {
      if (decoder.held_ < 0) decoder.loosen();
      window_ = decoder.window_;
      held_ = decoder.held_;
      next_ = decoder.next_;
      rejected_ = decoder.rejected_;
    }
    ~Loose() {
      decoder_.window_ = window_;
      decoder_.held_ = held_;
      decoder_.next_ = next_;
      decoder_.rejected_ = rejected_;
    }
    Loose(const Loose&) = delete;
    Loose& operator=(const Loose&) = delete;

    GI_RANS_INLINE uint32_t loose(uint32_t, int count) {
      if (__builtin_expect(decoder_.end_ - next_ >= 8, 1)) {
        // Takes as many whole bytes as fit. Bits of the byte after them are in the window too; the
        // next refill writes the same bits again.
        window_ |= eight(next_) << held_;
        next_ += (63 - held_) >> 3;
        held_ |= 56;
      } else {
        for (; held_ < count; held_ += 8) {
          rejected_ |= next_ == decoder_.end_;
          if (next_ != decoder_.end_) window_ |= uint64_t{*next_++} << held_;
        }
      }
      const auto value = static_cast<uint32_t>(window_ & ((uint64_t{1} << count) - 1));
      window_ >>= count;
      held_ -= count;
      return value;
    }

    void reject() { rejected_ = true; }

   private:
    Decoder& decoder_;
    uint64_t window_;
    int held_;
    const uint8_t* next_;
    bool rejected_;
  };

  // Marks the stream as damaged; for the syntax that uses the coder.
  void reject() { rejected_ = true; }

  bool failed() const { return rejected_; }

  // Whether the stream ended with the last symbol and the last loose bit, and the states are right.
  bool finished_cleanly() {
    if (held_ < 0) loosen();
    const bool zero = (window_ & ((uint64_t{1} << held_) - 1)) == 0;
    return !rejected_ && next_ == end_ && zero && (held_ < 8 || all_held_);
  }

 private:
  static uint32_t word(const uint8_t* p) { return p[0] | static_cast<uint32_t>(p[1]) << 8; }
  static uint64_t eight(const uint8_t* p) {
    return word(p) | uint64_t{word(p + 2)} << 16 | uint64_t{word(p + 4)} << 32 |
           uint64_t{word(p + 6)} << 48;
  }

  // Takes the loose bits that the states hold, beginning with the state whose turn it is.
  void loosen() {
    held_ = 0;
    for (const uint32_t x : states_) {
      if (x >> 16 != 1) rejected_ = true;
      window_ |= uint64_t{x & 0xffff} << held_;
      held_ += 16;
    }
    all_held_ = next_ == end_;
  }

  uint32_t states_[states] = {};  // in the order in which they are used
  const uint8_t* next_;
  const uint8_t* end_;
  uint64_t window_ = 0;    // the next loose bits; the lower `held_` bits are valid
  int held_ = -1;          // -1 before the first loose bit
  bool all_held_ = false;  // the states held all loose bits
  bool rejected_ = false;
};

// Sums the bits that an Encoder would spend. The stream is a few bits longer, and never shorter
// than its states.
class Meter {
 public:
  static constexpr bool decodes = false;
  using Run = Meter&;
  using Loose = Meter&;

  uint32_t code(Model& model, uint32_t symbol) {
    bits_ += slot_bits - std::log2(static_cast<double>(model.interval(symbol).size));
    model.update(symbol);
    return symbol;
  }

  uint32_t bits(uint32_t value, int count) {
    raw_ += count;
    return value;
  }

  uint32_t loose(uint32_t value, int count) { return bits(value, count); }

  void reject() {}

  double total() const { return bits_ + raw_; }
  double raw() const { return raw_; }  // the part of the total that no model codes

 private:
  double bits_ = 0, raw_ = 0;
};

}  // namespace gi::GI_ISA
