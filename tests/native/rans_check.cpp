// A stand-alone check of the entropy coder, to be built with sanitizers and for every instruction
// set: round trips, damaged and random streams. Prints a digest of all that was decoded, which
// must not depend on how it was built.
#include <algorithm>
#include <cinttypes>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <vector>

#include "entropy/rans-isa.h"

namespace {

using namespace gi;
using namespace gi::GI_ISA;

uint64_t digest = 0xcbf29ce484222325;

void note(uint64_t value) { digest = (digest ^ value) * 0x100000001b3; }

void require(bool condition, const char* what) {
  if (condition) return;
  std::fprintf(stderr, "failed: %s\n", what);
  std::exit(1);
}

struct Values {
  std::vector<uint32_t> symbols, naturals, buckets;
};

std::vector<Model> make_models() {
  std::vector<Model> models;
  const uint32_t skewed[16] = {9000, 1, 0, 40, 3, 0, 0, 7, 1, 1, 1, 1, 1, 1, 1, 5};
  for (int alphabet = 1; alphabet <= max_alphabet; ++alphabet) {
    models.emplace_back(alphabet);
    models.emplace_back(skewed, alphabet, alphabet, 255);
  }
  return models;
}

// The syntax of this test, for every coder: contexts depend on what came before.
template <typename Coder>
void code(Coder& coder, std::vector<Model>& models, Values& values) {
  Model& wide = models[30];
  uint32_t last = 0;
  for (size_t i = 0; i < values.symbols.size(); ++i) {
    if (i % 97 == 96) coder.start_plane();
    Model& model = models[(5 * i + last) % models.size()];
    const auto alphabet = static_cast<uint32_t>(model.alphabet());
    last = coder.code(model, values.symbols[i] % alphabet);
    require(last < alphabet, "symbols are in the alphabet");
    values.symbols[i] = last;
    const int count = static_cast<int>(i % 31);
    const uint32_t raw = code_raw(coder, last * 0x9e3779b9u & ((1u << count) - 1), count);
    require(raw >> count == 0, "raw bits have their width");
    note(raw);
    values.buckets[i] = coder.code(wide, find_bucket(values.naturals[i]));
  }
  for (size_t i = 0; i < values.naturals.size(); ++i) {
    values.naturals[i] = code_place(coder, values.buckets[i], values.naturals[i]);
    const int count = static_cast<int>(i * i % 31);
    const uint32_t open = coder.loose(values.symbols[i] * 0x9e3779b9u & ((1u << count) - 1), count);
    require(open >> count == 0, "loose bits have their width");
    note(open);
  }
}

// Codes values, decodes them, and decodes damaged streams.
template <int states>
void check(std::mt19937& random, Values& values) {
  const size_t size = values.symbols.size();
  std::vector<Model> models = make_models();
  BasicEncoder<states> encoder;
  code(encoder, models, values);
  std::vector<uint8_t> bytes = encoder.finish();
  for (const uint8_t byte : bytes) note(byte);

  const std::vector<uint32_t> zeros(size);
  Values decoded{zeros, zeros, zeros};
  models = make_models();
  BasicDecoder<states> decoder(bytes.data(), bytes.size());
  code(decoder, models, decoded);
  require(decoder.finished_cleanly(), "a stream that was written ends cleanly");
  require(decoded.symbols == values.symbols, "symbols come back");
  require(decoded.naturals == values.naturals, "natural numbers come back");

  // Damage: cut, changed or random bytes may decode to anything, harmlessly.
  for (int trial = 0; trial < 8; ++trial) {
    std::vector<uint8_t> bad(bytes.begin(), bytes.begin() + random() % (bytes.size() + 1));
    bad.shrink_to_fit();  // so that the address sanitizer sees a read past the end
    for (uint8_t& byte : bad) {
      if (trial < 2 || random() % 64 == 0) byte = static_cast<uint8_t>(random());
    }
    if (trial == 2) std::fill(bad.begin(), bad.end(), 0);
    if (trial == 3) std::fill(bad.begin(), bad.end(), 255);
    models = make_models();
    BasicDecoder<states> hostile(bad.data(), bad.size());
    code(hostile, models, decoded);
    for (size_t i = 0; i < size; ++i) {
      note(decoded.symbols[i]);
      note(decoded.naturals[i]);
    }
    note(hostile.failed());
    note(hostile.finished_cleanly());
  }
}

}  // namespace

int main() {
  std::mt19937 random(1);
  for (int round = 0; round < 300; ++round) {
    Values values;
    const size_t size = random() % 400;
    for (size_t i = 0; i < size; ++i) {
      const auto symbol = static_cast<uint32_t>(random() % 16);
      values.symbols.push_back(symbol & static_cast<uint32_t>(random()));
      const auto mask = static_cast<uint32_t>((2u << random() % 25) - 1);
      values.naturals.push_back(static_cast<uint32_t>(random()) & mask);
      values.buckets.push_back(0);
    }
    if (round % 2 == 0) {
      check<2>(random, values);
    } else {
      check<4>(random, values);
    }
  }
  std::printf("%016" PRIx64 "\n", digest);
}
