// Adaptive probabilities for the entropy coder: up to 16 symbols, learned while coding.
//
// A model keeps cdf[i], 2^20 times the probability that a symbol is below i. The coder works in
// units of 2^-15, so symbol s owns the slots cdf[s] >> 5 up to cdf[s + 1] >> 5. A model only counts
// the symbols of a block, and learns at the end of the block. So decoding a symbol does not wait
// for what the symbol before it has taught. When a model learns from n symbols, count[i] of them
// below i, every entry moves towards the distribution of these symbols, mixed with 32 units (one
// slot) for each symbol of the alphabet:
//     cdf[i] += ((n (32 i - cdf[i]) + (2^20 - 32 A) count[i]) * rate) >> 11
// This is a move towards n targets that are at least 32 apart from entry to entry. If neighbors of
// cdf are at least 32 apart too, they stay so for every rounding, because n * rate < 2^11 for n <=
// 32: floor(((2048 - n rate) c + rate t) / 2048) grows by at least 32 when c does and t grows by 32
// n. So every symbol always owns at least one slot, without a search or a clamp. Entries past the
// alphabet are their own target: they do not move from slots that no state can have.
//
// No product overflows: |target - cdf| < 2^20 and n * rate < 2^11.
//
// All arithmetic is in integers and gives the same result on every machine. docs/format.md has the
// same rules in prose.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "entropy/buckets.h"
#include "simd/isa.h"

#if defined(__SSE2__)
#include <immintrin.h>
#endif

namespace gi::GI_ISA {

constexpr int slot_bits = 15;   // a coder's probabilities are in units of 2^-15
constexpr int model_bits = 20;  // a model's are in units of 2^-20
constexpr int max_alphabet = 16;
constexpr int default_memory =
    160;  // symbols that a model remembers when learning has stopped slowing

constexpr int first_block = 4, last_block = 32;  // symbols of a block

// learning_rates[n] = round(2^11 / (n + 0.6)): how far a model moves for each symbol of a block,
// after which it has seen n symbols.
constexpr auto learning_rates = [] {
  std::array<int32_t, 256 + last_block> rates{};
  for (int n = 0; n < 256 + last_block; ++n) {
    rates[static_cast<size_t>(n)] = (20480 + 5 * n + 3) / (10 * n + 6);
  }
  return rates;
}();

// The slots of a symbol: `size` slots from `start` on.
struct Interval {
  uint32_t start, size;
};

inline Interval find_interval(const int32_t* cdf, uint32_t symbol) {
  const uint32_t start = static_cast<uint32_t>(cdf[symbol]) >> (model_bits - slot_bits);
  const uint32_t end = static_cast<uint32_t>(cdf[symbol + 1]) >> (model_bits - slot_bits);
  return {start, end - start};
}

class alignas(64) Model {
 public:
  // Makes all symbols equally probable. `confidence` (up to `memory`) is the number of symbols that
  // the model pretends to have seen: a model with 0 learns fastest. `memory` (up to 255) is the
  // number of symbols after which learning stops slowing.
  explicit Model(int alphabet = max_alphabet, int confidence = 0, int memory = default_memory) {
    constexpr uint32_t equal[max_alphabet] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1};
    reset(equal, alphabet, confidence, memory);
  }

  // Makes probabilities proportional to the weights, whose sum is in 1…2^32 - 1. A weight may be
  // zero.
  Model(const uint32_t* weights, int alphabet, int confidence, int memory = default_memory) {
    reset(weights, alphabet, confidence, memory);
  }

  int alphabet() const { return ((1 << model_bits) - span_) / 32; }

  Interval interval(uint32_t symbol) const {
    const uint32_t start = starts_[symbol] ^ top, end = starts_[symbol + 1] ^ top;
    return {start, end - start};
  }

  // Counts a symbol. Returns whether it is the first one since the model has learned.
  bool count(uint32_t symbol) {
    const bool first = counts_[max_alphabet - 1] == 0;
    for (uint32_t i = symbol; i < max_alphabet; ++i) ++counts_[i];
    return first;
  }

  // Decodes and counts the symbol that owns the slot `state` mod 2^15. Returns the coder's next
  // state before it is refilled; `first` is as for `count`. One comparison serves to find the
  // symbol and to count it.
  __attribute__((always_inline)) uint32_t decode(uint32_t state, uint32_t& symbol, bool& first) {
    const uint32_t slot = state | top;  // with the highest bit of 16 flipped, as starts_ has them
    first = counts_[max_alphabet - 1] == 0;
    symbol = find_and_count(static_cast<int16_t>(slot));
    uint16_t start, end;
    std::memcpy(&start, starts_ + symbol, sizeof start);
    std::memcpy(&end, starts_ + symbol + 1, sizeof end);
    const auto size = static_cast<uint16_t>(end - start);
    return size * (state >> slot_bits) + static_cast<uint16_t>(slot - start);
  }

  // Learns from the symbols counted.
  void learn() {
    const int32_t n = counts_[max_alphabet - 1];
    const int32_t rate = learning_rates[static_cast<size_t>(seen_ + n)];
    seen_ = seen_ + n < memory_ ? seen_ + n : memory_;
    for (int i = 0; i < max_alphabet; ++i) {
      const int32_t away = n * (32 * (i + 1) - cdf_[i]) + span_ * counts_[i];
      cdf_[i] += (away * rate) >> 11;
    }
    publish();
  }

 private:
  static constexpr uint32_t top = 1u << slot_bits;

  void reset(const uint32_t* weights, int alphabet, int confidence, int memory) {
    uint64_t total = 0, sum = 0;
    for (int i = 0; i < alphabet; ++i) total += weights[i];
    span_ = (1 << model_bits) - 32 * alphabet;
    for (int i = 0; i < max_alphabet; ++i) {
      if (i < alphabet) sum += weights[i];
      const int64_t share = static_cast<int64_t>(static_cast<uint64_t>(span_) * sum / total);
      cdf_[i] = 32 * (i + 1) + static_cast<int32_t>(share);
    }
    seen_ = confidence;
    memory_ = memory;
    starts_[0] = top;
    publish();
  }

  // Makes the slots from cdf_, and begins to count anew.
  void publish() {
    for (int i = 0; i < max_alphabet; ++i) {
      starts_[i + 1] = static_cast<uint16_t>((cdf_[i] >> (model_bits - slot_bits)) ^ top);
    }
    for (int i = 0; i < max_alphabet; ++i) counts_[i] = 0;
  }

  // Returns the number of entries starts_[1…16] up to the slot, and adds 1 to the counts of the
  // others. The last entry is above every slot.
  __attribute__((always_inline)) uint32_t find_and_count(int16_t slot) {
#if defined(__AVX2__)
    const __m256i starts = _mm256_load_si256(reinterpret_cast<const __m256i*>(starts_ + 1));
    const __m256i above = _mm256_cmpgt_epi16(starts, _mm256_set1_epi16(slot));
    __m256i* const counts = reinterpret_cast<__m256i*>(counts_);
    _mm256_store_si256(counts, _mm256_sub_epi16(_mm256_load_si256(counts), above));
    return static_cast<uint32_t>(
               __builtin_ctz(static_cast<uint32_t>(_mm256_movemask_epi8(above)))) /
           2;
#elif defined(__SSE2__)
    const __m128i* const starts = reinterpret_cast<const __m128i*>(starts_ + 1);
    __m128i* const counts = reinterpret_cast<__m128i*>(counts_);
    const __m128i at = _mm_set1_epi16(slot);
    const __m128i low = _mm_cmpgt_epi16(_mm_load_si128(starts), at);
    const __m128i high = _mm_cmpgt_epi16(_mm_load_si128(starts + 1), at);
    _mm_store_si128(counts, _mm_sub_epi16(_mm_load_si128(counts), low));
    _mm_store_si128(counts + 1, _mm_sub_epi16(_mm_load_si128(counts + 1), high));
    return static_cast<uint32_t>(
        __builtin_ctz(static_cast<uint32_t>(_mm_movemask_epi8(_mm_packs_epi16(low, high)))));
#else
    typedef int16_t Lanes __attribute__((vector_size(32), may_alias));
    Lanes starts;
    std::memcpy(&starts, starts_ + 1, sizeof starts);
    const Lanes above = starts > slot;
    *reinterpret_cast<Lanes*>(counts_) -= above;
    int sum = max_alphabet;
    for (int i = 0; i < max_alphabet; ++i) sum += above[i];
    return static_cast<uint32_t>(sum);
#endif
  }

  uint16_t unused_[15];
  // starts_[i] = cdf[i] >> 5 with the highest of 16 bits flipped, so that they compare as signed
  // numbers. All but the first are aligned.
  uint16_t starts_[max_alphabet + 1];
  int16_t counts_[max_alphabet];  // by i: symbols counted up to and with i
  int32_t span_;                  // 2^20 - 32 A
  int32_t seen_;                  // symbols learned from so far, up to memory_
  int32_t memory_;
  alignas(32) int32_t cdf_[max_alphabet];  // without cdf[0] = 0
};

// The models of a stream that have counted symbols since they learned. They learn in blocks: after
// 4, 8 and 16 symbols of a plane, then after every 32, and at the end of the plane.
class Learner {
 public:
  // Notes that a model has counted a symbol.
  __attribute__((always_inline)) void note(Model& model, bool first) {
    models_[count_] = &model;
    count_ += first;
    if (__builtin_expect(--left_ == 0, 0)) learn();
  }

  // Lets the models learn at the end of a block.
  __attribute__((noinline)) void learn() {
    for (int i = 0; i < count_; ++i) models_[i]->learn();
    count_ = 0;
    block_ = block_ < last_block ? 2 * block_ : last_block;
    left_ = block_;
  }

  // Ends a plane, and starts the next one.
  void start_plane() {
    learn();
    left_ = block_ = first_block;
  }

 private:
  int count_ = 0, block_ = first_block, left_ = first_block;
  Model* models_[last_block + 1];
};

// A model of very few symbols, which learns from each symbol at once, and updates its entries one
// by one: for few symbols this is faster, and a tenth of the size.
template <int alphabet_size>
class SmallModel {
 public:
  SmallModel() = default;
  SmallModel(const uint32_t* weights, int confidence) : seen_(confidence) {
    uint64_t total = 0, sum = 0;
    for (int i = 0; i < alphabet_size; ++i) total += weights[i];
    for (int i = 0; i <= alphabet_size; ++i) {
      cdf_[i] = 32 * i + static_cast<int32_t>(uint64_t{span} * sum / total);
      if (i < alphabet_size) sum += weights[i];
    }
  }

  int alphabet() const { return alphabet_size; }

  Interval interval(uint32_t symbol) const { return find_interval(cdf_, symbol); }

  void update(uint32_t symbol) {
    const int32_t rate = learning_rates[static_cast<size_t>(seen_ + 1)];
    seen_ += seen_ < default_memory;
    for (int i = 1; i < alphabet_size; ++i) {
      const int32_t target =
          32 * i + (i > static_cast<int32_t>(symbol) ? static_cast<int32_t>(span) : 0);
      cdf_[i] += ((target - cdf_[i]) * rate) >> 11;
    }
  }

  // Decodes the symbol that owns the slot `state` mod 2^15. Returns the coder's next state before
  // it is refilled.
  __attribute__((always_inline)) uint32_t decode(uint32_t state, uint32_t& symbol) {
    const uint32_t slot = state & ((1u << slot_bits) - 1);
    const int32_t limit = static_cast<int32_t>((slot + 1) << 5);
    symbol = 0;
    for (int i = 1; i < alphabet_size; ++i) symbol += limit > cdf_[i];
    const Interval found = interval(symbol);
    update(symbol);
    return found.size * (state >> slot_bits) + slot - found.start;
  }

 private:
  static constexpr uint32_t span = (1 << model_bits) - 32 * alphabet_size;
  int32_t cdf_[alphabet_size + 1];
  int32_t seen_;
};

// Codes `count` raw bits, up to 30, the low 15 first. No bits are no step of the coder.
template <typename Coder>
uint32_t code_raw(Coder& coder, uint32_t value, int count) {
  if (count == 0) return 0;
  if (count <= slot_bits) return coder.bits(value, count);
  const uint32_t low = coder.bits(value & ((1u << slot_bits) - 1), slot_bits);
  return low | coder.bits(value >> slot_bits, count - slot_bits) << slot_bits;
}

// Codes a value of the last bucket in loose bits. Let r be the value less the bucket's base, plus
// 1: coded are the number of bits of r below its leading bit, then those bits.
template <typename Loose>
uint32_t code_escaped(Loose& bits, uint32_t value) {
  const uint32_t rest = value - bucket_base[15] + 1;
  uint32_t length = static_cast<uint32_t>(31 - __builtin_clz(rest | 1));
  length = bits.loose(length, 5);
  if (length > escape_bits) {
    bits.reject();
    length = escape_bits;
  }
  const uint32_t top = 1u << length;
  return bucket_base[15] - 1 + (top | bits.loose(rest & (top - 1), static_cast<int>(length)));
}

// Codes the bits that tell a value in 0…max_unsigned from the others in its bucket, and returns the
// value. A decoder ignores the argument.
template <typename Loose>
uint32_t code_place(Loose& bits, uint32_t bucket, uint32_t value) {
  if (bucket == 15) return code_escaped(bits, value);
  return bucket_base[bucket] + bits.loose(value - bucket_base[bucket], bucket_bits[bucket]);
}

}  // namespace gi::GI_ISA
