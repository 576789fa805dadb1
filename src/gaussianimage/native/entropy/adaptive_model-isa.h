// Adaptive probabilities for the entropy coder: up to 16 symbols, learned while coding.
//
// A model keeps cdf[i], 2^20 times the probability that a symbol is below i. The coder works in
// units of 2^-15, so symbol s owns the slots cdf[s] >> 5 up to cdf[s + 1] >> 5. After a symbol
// every entry moves towards the distribution that holds this symbol alone, mixed with 32 units (one
// slot) for each symbol of the alphabet:
//     target[i] = 32 i + (i > s ? 2^20 - 32 A : 0)
//     cdf[i] += ((target[i] - cdf[i]) * rate) >> 11
// Neighboring targets are at least 32 apart. If neighbors of cdf are at least 32 apart too, they
// stay so for every rounding: floor(((2048 - rate) c + rate t) / 2048) grows by at least 32 when c
// and t both do. So every symbol always owns at least one slot, without a search or a clamp.
// Entries past the alphabet are their own target: they do not move from slots that no state can
// have.
//
// No product overflows: |target - cdf| < 2^20 + 2^9 and rate <= 1280 < 2^11.
//
// All arithmetic is in integers and gives the same result on every machine. docs/format.md has the
// same rules in prose.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

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

// rate_table[n] = round(2^11 / (n + 1.6)): how far a model moves after its n-th symbol.
constexpr auto rate_table = [] {
  std::array<int32_t, 256> rates{};
  for (int n = 0; n < 256; ++n) {
    rates[static_cast<size_t>(n)] = (20480 + 5 * n + 8) / (10 * n + 16);
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

  Interval interval(uint32_t symbol) const { return find_interval(cdf_, symbol); }

  void update(uint32_t symbol) {
    const int32_t rate = step();
    for (int i = 0; i < max_alphabet; ++i) {
      const int32_t target = 32 * i + (i > static_cast<int32_t>(symbol) ? span_ : 0);
      cdf_[i] += ((target - cdf_[i]) * rate) >> 11;
    }
  }

  // Finds the symbol that owns the slot (0…2^15 - 1) and its interval, and updates the model. One
  // comparison serves to find the symbol and to update, so the update does not wait for the symbol.
  __attribute__((always_inline)) uint32_t decode(uint32_t slot, Interval& found) {
    const int32_t rate = step();
    const int32_t limit = static_cast<int32_t>((slot + 1) << 5);
    Lanes* const cdf = reinterpret_cast<Lanes*>(cdf_);
    Lanes below[parts], next[parts];
    for (int j = 0; j < parts; ++j) {
      const Lanes now = cdf[j];
      below[j] = limit > now;
      const Lanes away = (floors(j) - now) + span_ - (below[j] & span_);
      next[j] = now + (scaled(away, rate) >> 11);
    }
    const uint32_t symbol = count(below) - 1;
    found = interval(symbol);
    for (int j = 0; j < parts; ++j) cdf[j] = next[j];
    return symbol;
  }

 private:
#if defined(__AVX2__)
  static constexpr int width = 8;
  typedef int32_t Lanes __attribute__((vector_size(32), may_alias));
#else
  static constexpr int width = 4;
  typedef int32_t Lanes __attribute__((vector_size(16), may_alias));
#endif
  static constexpr int parts = max_alphabet / width;

  void reset(const uint32_t* weights, int alphabet, int confidence, int memory) {
    uint64_t total = 0, sum = 0;
    for (int i = 0; i < alphabet; ++i) total += weights[i];
    span_ = (1 << model_bits) - 32 * alphabet;
    for (int i = 0; i <= max_alphabet; ++i) {
      const int64_t share = static_cast<int64_t>(static_cast<uint64_t>(span_) * sum / total);
      cdf_[i] = 32 * i + static_cast<int32_t>(share);
      if (i < alphabet) sum += weights[i];
    }
    seen_ = confidence;
    memory_ = memory;
  }

  int32_t step() {
    const int32_t rate = rate_table[static_cast<size_t>(seen_)];
    seen_ += seen_ < memory_;
    return rate;
  }

  // 32 i in lane i.
  static Lanes floors(int part) {
    Lanes lanes = {};
    for (int i = 0; i < width; ++i) lanes[i] = 32 * (part * width + i);
    return lanes;
  }

  static Lanes scaled(Lanes lanes, int32_t rate) {
#if defined(__SSE2__) && !defined(__SSE4_1__)
    // SSE2 has no 32-bit multiplication; compute one from two of 16 bits.
    const __m128i a = (__m128i)lanes, k = _mm_set1_epi16(static_cast<int16_t>(rate));
    return (Lanes)_mm_add_epi16(_mm_mullo_epi16(a, k), _mm_slli_epi32(_mm_mulhi_epu16(a, k), 16));
#else
    return lanes * rate;
#endif
  }

  // Counts the entries that are below the slot: the mask is all ones up to some entry.
  static uint32_t count(const Lanes* below) {
#if defined(__AVX2__)
    // Two bits for each entry, in some order.
    const __m256i all = _mm256_packs_epi32((__m256i)below[0], (__m256i)below[1]);
    const auto mask = static_cast<uint32_t>(_mm256_movemask_epi8(all));
    return static_cast<uint32_t>(__builtin_popcount(mask)) / 2;
#elif defined(__SSE2__)
    const __m128i low = _mm_packs_epi32((__m128i)below[0], (__m128i)below[1]);
    const __m128i high = _mm_packs_epi32((__m128i)below[2], (__m128i)below[3]);
    const auto mask = static_cast<uint32_t>(_mm_movemask_epi8(_mm_packs_epi16(low, high)));
    return static_cast<uint32_t>(__builtin_ctz(~mask));
#else
    const Lanes sum = below[0] + below[1] + below[2] + below[3];
    return 0u - static_cast<uint32_t>(sum[0] + sum[1] + sum[2] + sum[3]);
#endif
  }

  int32_t cdf_[max_alphabet + 1];
  int32_t span_;  // 2^20 - 32 A
  int32_t seen_;  // symbols seen so far, up to memory_
  int32_t memory_;
};

// A model of very few symbols, which updates its entries one by one: for few symbols this is
// faster, and a tenth of the size.
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
    const int32_t rate = rate_table[static_cast<size_t>(seen_)];
    seen_ += seen_ < default_memory;
    for (int i = 1; i < alphabet_size; ++i) {
      const int32_t target =
          32 * i + (i > static_cast<int32_t>(symbol) ? static_cast<int32_t>(span) : 0);
      cdf_[i] += ((target - cdf_[i]) * rate) >> 11;
    }
  }

  __attribute__((always_inline)) uint32_t decode(uint32_t slot, Interval& found) {
    const int32_t limit = static_cast<int32_t>((slot + 1) << 5);
    uint32_t symbol = 0;
    for (int i = 1; i < alphabet_size; ++i) symbol += limit > cdf_[i];
    found = interval(symbol);
    update(symbol);
    return symbol;
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
