// The entropy coder: interleaved rANS with 32-bit states and 16-bit words, and loose bits after the
// symbols.
//
// A few states share one stream of words: symbol i uses state i mod `states`, so a decoder works on
// as many symbols at once. Bits that no model predicts need no coder: they are loose bits, which a
// decoder reads when it knows all symbols.
//
// A stream consists of the states with which the decoder starts (32 bits each), the words in the
// order in which it reads them, and the loose bits, all little-endian. The encoder works backwards
// and starts every state at 1 and then 16 to 31 loose bits. It chooses their number so that the
// state ends near 2^32, because all of its 32 bits are stored. A decoder that has read all symbols
// arrives at the same states. They hold the first loose bits, beginning with the state whose turn
// it is; the bytes after the words hold the rest, and the last byte is padded with zeros. If
// anything else is found, the stream is damaged or was decoded with other models.
//
// The encoder, the decoder and Meter have the same functions, so that one function template
// describes a syntax for writing, reading and measuring:
//     uint32_t code(Model&, uint32_t symbol)       a symbol by an adaptive model, or a SmallModel
//     uint32_t bits(uint32_t value, int count)     1…15 raw bits, among the symbols
//     uint32_t loose(uint32_t value, int count)    0…30 raw bits, after all symbols
//     void start_plane()                           between two planes of symbols
// The first three return the coded value; the decoder ignores the argument. The rANS step is Duda's
// (arXiv 1311.2540).
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <type_traits>
#include <utility>
#include <vector>

#include "entropy/adaptive_model-isa.h"

#define GI_RANS_INLINE inline __attribute__((always_inline))

namespace gi::GI_ISA {

constexpr uint32_t state_start = 1u << 16;  // the least state; the largest is 2^32 - 1

template <int states>
class BasicEncoder {
 public:
  static constexpr bool decodes = false;
  using Run = BasicEncoder&;
  using Loose = BasicEncoder&;

  template <typename AnyModel>
  uint32_t code(AnyModel& model, uint32_t symbol) {
    if (symbol >= static_cast<uint32_t>(model.alphabet())) reject();
    intervals_.push_back(model.interval(symbol));
    if constexpr (std::is_same_v<AnyModel, Model>) {
      learner_.note(model, model.count(symbol));
    } else {
      model.update(symbol);
    }
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

  // Ends a plane of symbols, and starts the next one; see Learner.
  void start_plane() { learner_.start_plane(); }

  // Reports a value that the syntax cannot hold, which is the caller's mistake.
  [[noreturn]] void reject() { throw std::out_of_range("value too large for the entropy coder"); }

  // Returns the stream, and lets its models learn, which must still exist. The encoder is then
  // empty and can be used again.
  std::vector<uint8_t> finish() {
    learner_.learn();
    Chain chains[states];
    size_t taken = 0;  // loose bits that the states hold
    for (size_t i = 0; i < states; ++i) {
      const size_t s = (intervals_.size() + i) % states;
      taken += std::min(fill_chain(s, taken, chains[s]), loose_.size() - taken);
    }
    std::vector<uint8_t> bytes;
    const auto append = [&](uint32_t value, int count) {
      for (int i = 0; i < count; ++i) bytes.push_back(static_cast<uint8_t>(value >> (8 * i)));
    };
    for (const Chain& chain : chains) append(chain.first, 4);
    // The words of the states come in the order in which a decoder needs them.
    for (size_t i = 0; i < intervals_.size(); ++i) {
      const Interval interval = intervals_[i];
      auto& [x, words] = chains[i % states];
      x = interval.size * (x >> slot_bits) + x % (1u << slot_bits) - interval.start;
      if (x >= state_start) continue;
      append(words.back(), 2);
      x = x << 16 | words.back();
      words.pop_back();
    }
    for (; taken < loose_.size(); taken += 8) append(peek(taken, 8), 1);
    intervals_.clear();
    loose_.clear();
    return bytes;
  }

 private:
  // All symbols of one state.
  struct Chain {
    uint32_t first;               // the state with which the decoder starts
    std::vector<uint16_t> words;  // the last one is read first
  };

  // Codes the symbols of state s, which begins with loose bits from number `begin` on. Takes the
  // number of loose bits that makes the state and its words hold them in the fewest bits, and
  // returns it.
  size_t fill_chain(size_t s, size_t begin, Chain& best) const {
    constexpr size_t least = 16, most = 31;
    const size_t end = std::clamp(loose_.size() - begin, least, most);
    size_t chosen = least;
    ptrdiff_t fewest = PTRDIFF_MAX;
    Chain tried;
    for (size_t held = least; held <= end; ++held) {
      tried.words.clear();
      tried.first = 1u << held | peek(begin, held);
      write_chain(s, tried);
      const ptrdiff_t bits = static_cast<ptrdiff_t>(16 * tried.words.size() - held);
      if (bits >= fewest) continue;
      fewest = bits;
      chosen = held;
      std::swap(best, tried);
    }
    return chosen;
  }

  // Returns loose bits from number `begin` on; bits beyond the last are 0.
  uint32_t peek(size_t begin, size_t count) const {
    uint32_t value = 0;
    for (size_t i = 0; i < count && begin + i < loose_.size(); ++i) {
      value |= uint32_t{loose_[begin + i]} << i;
    }
    return value;
  }

  // Codes the symbols of state s, the last one first.
  void write_chain(size_t s, Chain& chain) const {
    uint32_t x = chain.first;
    const size_t n = intervals_.size();
    const size_t count = n > s ? (n - s + states - 1) / states : 0;
    for (size_t i = count; i-- > 0;) {
      const Interval interval = intervals_[states * i + s];
      if (x >= uint64_t{interval.size} << 17) {
        chain.words.push_back(static_cast<uint16_t>(x));
        x >>= 16;
      }
      x = (x / interval.size << slot_bits) + x % interval.size + interval.start;
    }
    chain.first = x;
  }

  Learner learner_;
  std::vector<Interval> intervals_;
  std::vector<uint8_t> loose_;
};

// Any bytes can be read safely: past the end it reads zeros, and symbols are always in the alphabet
// of their model. finished_cleanly() tells whether the stream was valid. A caller that decodes a
// number of symbols that the stream itself announced should check failed() now and then, to stop
// early. After loose bits there are no more symbols.
template <int states>
class BasicDecoder {
 public:
  static constexpr bool decodes = true;

  // The bytes must outlive the decoder.
  BasicDecoder(const uint8_t* bytes, size_t size) : next_(bytes), end_(bytes + size) {
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
    explicit Run(BasicDecoder& decoder)
        : decoder_(decoder),
          next_(decoder.next_),
          last_(decoder.end_ - (decoder.next_ < decoder.end_)),
          rejected_(decoder.rejected_) {
      std::copy_n(decoder.states_, states, states_);
    }
    ~Run() {
      std::rotate_copy(states_, states_ + turn_, states_ + states, decoder_.states_);
      decoder_.next_ = next_;
      decoder_.rejected_ = rejected_;
    }
    Run(const Run&) = delete;
    Run& operator=(const Run&) = delete;

    template <typename AnyModel>
    GI_RANS_INLINE uint32_t code(AnyModel& model, uint32_t = 0) {
      uint32_t symbol;
      if constexpr (std::is_same_v<AnyModel, Model>) {
        bool first;
        advance(model.decode(states_[turn_], symbol, first));
        decoder_.learner_.note(model, first);
      } else {
        advance(model.decode(states_[turn_], symbol));
      }
      return symbol;
    }

    void start_plane() { decoder_.learner_.start_plane(); }

    GI_RANS_INLINE uint32_t bits(uint32_t, int count) {
      const int shift = slot_bits - count;
      const uint32_t slot = states_[turn_] & ((1u << slot_bits) - 1);
      const uint32_t below = slot & ((1u << shift) - 1);
      advance((states_[turn_] >> slot_bits << shift) + below);
      return slot >> shift;
    }

   private:
    // Refills the first state without an unpredictable branch, and makes the next one the first.
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
      states_[turn_] = x;
      turn_ = (turn_ + 1) % states;
    }

    BasicDecoder& decoder_;
    uint32_t states_[states];
    uint32_t turn_ = 0;  // the state that is used next
    const uint8_t* next_;
    const uint8_t* const last_;  // the stream's last byte, at which no word begins
    bool rejected_;
  };

  uint32_t code(Model& model, uint32_t = 0) { return Run(*this).code(model); }
  void start_plane() { learner_.start_plane(); }
  uint32_t bits(uint32_t, int count) { return Run(*this).bits(0, count); }

  uint32_t loose(uint32_t, int count) { return Loose(*this).loose(0, count); }

  // Reads a row of loose bits with the decoder's state in registers.
  class Loose {
   public:
    explicit Loose(BasicDecoder& decoder) : decoder_(decoder) {
      if (decoder.opened_ < 0) decoder.end_symbols();
      window_ = decoder.window_;
      held_ = decoder.held_;
      next_ = decoder.next_;
      many_left_ = decoder.many_left();
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
      if (__builtin_expect(next_ < many_left_, 1)) {
        // Takes as many whole bytes as fit. Bits of the byte after them are in the window too; the
        // next refill writes the same bits again.
        window_ |= eight(next_) << held_;
        next_ += (63 - held_) >> 3;
        held_ |= 56;
      } else {
        refill(count);
      }
      const auto value = static_cast<uint32_t>(window_ & ((uint64_t{1} << count) - 1));
      window_ >>= count;
      held_ -= count;
      return value;
    }

    void reject() { rejected_ = true; }

   private:
    // Takes the bits of the states, one after another, then single bytes near the stream's end.
    void refill(int count) {
      while (held_ < count) {
        if (decoder_.opened_ < states) {
          const int bits = decoder_.open_state(window_, held_);
          held_ += bits;
          many_left_ = decoder_.many_left();
        } else {
          rejected_ |= next_ == decoder_.end_;
          if (next_ != decoder_.end_) window_ |= uint64_t{*next_++} << held_;
          held_ += 8;
        }
      }
    }

    BasicDecoder& decoder_;
    uint64_t window_;
    int held_;
    const uint8_t* next_;
    const uint8_t* many_left_;  // before it, the next 8 bytes are loose bits
    bool rejected_;
  };

  // Marks the stream as damaged; for the syntax that uses the coder.
  void reject() { rejected_ = true; }

  bool failed() const { return rejected_; }

  // Whether the stream ended with the last symbol and the last loose bit, and the states are right.
  // The models must still exist, because they learn from the last symbols if there are no loose
  // bits.
  bool finished_cleanly() {
    if (opened_ < 0) end_symbols();
    bool whole = held_ >= 8;  // whether a whole byte is left
    bool zero = (window_ & ((uint64_t{1} << held_) - 1)) == 0;
    while (opened_ < states) {
      window_ = 0;
      zero &= open_state(window_, 0) > 0 && window_ == 0;
      whole = true;
    }
    return !rejected_ && next_ == end_ && zero && (!whole || all_held_);
  }

 private:
  static uint32_t word(const uint8_t* p) { return p[0] | static_cast<uint32_t>(p[1]) << 8; }
  static uint64_t eight(const uint8_t* p) {
    return word(p) | uint64_t{word(p + 2)} << 16 | uint64_t{word(p + 4)} << 32 |
           uint64_t{word(p + 6)} << 48;
  }

  // Lets the models learn, because no symbols follow.
  void end_symbols() {
    learner_.learn();
    opened_ = 0;
    all_held_ = next_ == end_;
  }

  // Adds the loose bits of the next state to those in the window. Returns their number.
  int open_state(uint64_t& window, int held) {
    const uint32_t x = states_[opened_++];
    if (x < state_start) {
      rejected_ = true;
      return 16;
    }
    const int bits = 31 - __builtin_clz(x);
    window |= uint64_t{x ^ 1u << bits} << held;
    return bits;
  }

  // Returns the place before which 8 bytes can be read; none before all states are open.
  const uint8_t* many_left() const {
    return opened_ == states && end_ - next_ >= 8 ? end_ - 7 : next_;
  }

  Learner learner_;
  uint32_t states_[states] = {};  // in the order in which they are used
  const uint8_t* next_;
  const uint8_t* end_;
  uint64_t window_ = 0;  // the next loose bits; the lower `held_` bits are valid
  int held_ = 0;
  int opened_ = -1;        // states whose loose bits are in the window; -1 while symbols follow
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
    learner_.note(model, model.count(symbol));
    return symbol;
  }

  uint32_t bits(uint32_t value, int count) {
    raw_ += count;
    return value;
  }

  uint32_t loose(uint32_t value, int count) { return bits(value, count); }

  void reject() {}

  void start_plane() { learner_.start_plane(); }

  double total() const { return bits_ + raw_; }
  double raw() const { return raw_; }  // the part of the total that no model codes

 private:
  Learner learner_;
  double bits_ = 0, raw_ = 0;
};

}  // namespace gi::GI_ISA
