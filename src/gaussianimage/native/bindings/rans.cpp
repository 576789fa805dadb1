// The entropy coder as Python functions, for the tests. They take and return lists of operations.
#include <nanobind/stl/pair.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include <cstdint>
#include <stdexcept>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include "bindings/common.h"
#include "entropy/rans-isa.h"

namespace gi {
namespace {

using GI_ISA::BasicDecoder;
using GI_ISA::BasicEncoder;
using GI_ISA::Meter;
using GI_ISA::Model;

// (kind, index, value): the index of a model for symbols, a number of bits for raw and loose bits,
// nothing for the start of a plane.
using Operation = std::tuple<int, int, int64_t>;
// (weights, confidence, memory); the number of weights is the alphabet.
using Recipe = std::tuple<std::vector<uint32_t>, int, int>;

enum Kind { symbol, raw, loose, plane };

std::vector<Model> build(const std::vector<Recipe>& recipes) {
  std::vector<Model> models;
  for (const auto& [weights, confidence, memory] : recipes) {
    uint64_t total = 0;
    for (const uint32_t weight : weights) total += weight;
    if (weights.empty() || weights.size() > GI_ISA::max_alphabet || total == 0 ||
        total > UINT32_MAX || memory < 0 || memory > 255 || confidence < 0 || confidence > memory) {
      throw std::invalid_argument("not a model");
    }
    models.emplace_back(weights.data(), static_cast<int>(weights.size()), confidence, memory);
  }
  return models;
}

template <typename Coder>
int64_t run(Coder& coder, std::vector<Model>& models, const Operation& operation) {
  const auto [kind, index, value] = operation;
  if (kind == raw) {
    if (index < 0 || index > 30) throw std::invalid_argument("not a number of bits");
    return code_raw(coder, static_cast<uint32_t>(value), index);
  }
  if (kind == loose) {
    if (index < 0 || index > 30) throw std::invalid_argument("not a number of bits");
    return coder.loose(static_cast<uint32_t>(value), index);
  }
  if (kind == plane) {
    coder.start_plane();
    return 0;
  }
  if (kind != symbol) throw std::invalid_argument("not an operation");
  return coder.code(models.at(static_cast<size_t>(index)), static_cast<uint32_t>(value));
}

// Calls a function with a number of states that is a constant.
template <typename Use>
auto with_states(int states, Use&& use) {
  if (states == 2) return use(std::integral_constant<int, 2>{});
  if (states == 4) return use(std::integral_constant<int, 4>{});
  throw std::invalid_argument("not a number of states");
}

nanobind::bytes encode(const std::vector<Operation>& operations, const std::vector<Recipe>& recipes,
                       int states) {
  std::vector<Model> models = build(recipes);
  const std::vector<uint8_t> bytes = with_states(states, [&](auto count) {
    BasicEncoder<count> encoder;
    for (const Operation& operation : operations) run(encoder, models, operation);
    return encoder.finish();
  });
  return nanobind::bytes(bytes.data(), bytes.size());
}

std::pair<std::vector<int64_t>, bool> decode(nanobind::bytes data,
                                             const std::vector<Operation>& operations,
                                             const std::vector<Recipe>& recipes, int states) {
  std::vector<Model> models = build(recipes);
  std::vector<int64_t> values;
  const bool clean = with_states(states, [&](auto count) {
    BasicDecoder<count> decoder(static_cast<const uint8_t*>(data.data()), data.size());
    for (const auto& [kind, index, value] : operations) {
      values.push_back(run(decoder, models, {kind, index, 0}));
    }
    return decoder.finished_cleanly();
  });
  return {std::move(values), clean};
}

double measure(const std::vector<Operation>& operations, const std::vector<Recipe>& recipes) {
  std::vector<Model> models = build(recipes);
  Meter meter;
  for (const Operation& operation : operations) run(meter, models, operation);
  return meter.total();
}

}  // namespace

void bind_rans(nanobind::module_& m) {
  m.def("rans_encode", &encode, "Stream of (kind, model, value) operations; for tests.");
  m.def("rans_decode", &decode, "Values and whether the stream ended cleanly; for tests.");
  m.def("rans_measure", &measure, "Bits that rans_encode should spend; for tests.");
}

}  // namespace gi
