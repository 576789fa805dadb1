// The entropy coder alone: operations that the input chooses, on any bytes as the stream. What is
// encoded decodes to the same values, and no stream makes the decoder read beyond its end.
#include <fuzzer/FuzzedDataProvider.h>

#include <cmath>

#include "entropy/rans-isa.h"
#include "support/require.h"

namespace {

using gi::GI_ISA::BasicDecoder;
using gi::GI_ISA::BasicEncoder;
using gi::GI_ISA::Meter;
using gi::GI_ISA::Model;

enum Kind { symbol, bits, loose, plane };

struct Operation {
  Kind kind;
  size_t model;
  uint32_t value;
  int count;
};

std::vector<Model> make_models(const std::vector<std::vector<uint32_t>>& weights,
                               const std::vector<int>& confidence) {
  std::vector<Model> models;
  for (size_t i = 0; i < weights.size(); ++i) {
    models.emplace_back(weights[i].data(), static_cast<int>(weights[i].size()), confidence[2 * i],
                        confidence[2 * i + 1]);
  }
  return models;
}

template <typename Coder>
std::vector<uint32_t> run(Coder& coder, std::vector<Model>& models,
                          const std::vector<Operation>& operations) {
  std::vector<uint32_t> values;
  for (const Operation& operation : operations) {
    Model& model = models[operation.model];
    switch (operation.kind) {
      case symbol:
        values.push_back(coder.code(model, operation.value));
        REQUIRE(values.back() < static_cast<uint32_t>(model.alphabet()));
        break;
      case bits:
        values.push_back(coder.bits(operation.value, operation.count));
        REQUIRE(values.back() >> operation.count == 0);
        break;
      case loose:
        values.push_back(coder.loose(operation.value, operation.count));
        REQUIRE(static_cast<uint64_t>(values.back()) >> operation.count == 0);
        break;
      case plane:
        coder.start_plane();
        values.push_back(0);
    }
  }
  return values;
}

template <int states>
void check(const std::vector<std::vector<uint32_t>>& weights, const std::vector<int>& confidence,
           const std::vector<Operation>& operations, const std::vector<uint8_t>& stream) {
  std::vector<Model> models = make_models(weights, confidence);
  BasicDecoder<states> decoder(stream.data(), stream.size());
  run(decoder, models, operations);
  const bool clean = decoder.finished_cleanly();

  models = make_models(weights, confidence);
  BasicEncoder<states> encoder;
  const std::vector<uint32_t> values = run(encoder, models, operations);
  const std::vector<uint8_t> bytes = encoder.finish();
  models = make_models(weights, confidence);
  BasicDecoder<states> again(bytes.data(), bytes.size());
  REQUIRE(run(again, models, operations) == values);
  REQUIRE(again.finished_cleanly());
  models = make_models(weights, confidence);
  Meter meter;
  run(meter, models, operations);
  REQUIRE(std::isfinite(meter.total()) && meter.raw() <= meter.total());
  if (!clean) return;

  // A stream that ends cleanly is one that the encoder writes for its values, up to its padding.
  models = make_models(weights, confidence);
  BasicDecoder<states> first(stream.data(), stream.size());
  std::vector<Operation> found = operations;
  const std::vector<uint32_t> decoded = run(first, models, operations);
  for (size_t i = 0; i < found.size(); ++i) found[i].value = decoded[i];
  models = make_models(weights, confidence);
  BasicEncoder<states> writer;
  run(writer, models, found);
  const std::vector<uint8_t> written = writer.finish();
  models = make_models(weights, confidence);
  BasicDecoder<states> second(written.data(), written.size());
  REQUIRE(run(second, models, operations) == decoded);
  REQUIRE(second.finished_cleanly());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  FuzzedDataProvider input(data, size);
  std::vector<std::vector<uint32_t>> weights;
  std::vector<int> confidence;
  const int models = input.ConsumeIntegralInRange<int>(1, 4);
  for (int i = 0; i < models; ++i) {
    std::vector<uint32_t> drawn;
    const int alphabet = input.ConsumeIntegralInRange<int>(1, gi::GI_ISA::max_alphabet);
    for (int k = 0; k < alphabet; ++k) {
      drawn.push_back(input.ConsumeIntegralInRange<uint32_t>(0, input.ConsumeBool() ? 9 : 1 << 27));
    }
    drawn[0] += 1;  // not all of them may be 0
    const int memory = input.ConsumeIntegralInRange<int>(0, 255);
    confidence.push_back(input.ConsumeIntegralInRange<int>(0, memory));
    confidence.push_back(memory);
    weights.push_back(drawn);
  }
  const bool many = input.ConsumeBool();
  std::vector<Operation> operations;
  // Symbols and raw bits come before loose bits.
  const size_t most = input.ConsumeIntegralInRange<size_t>(0, 300);
  bool symbols = true;
  for (size_t i = 0; i < most && input.remaining_bytes() > 0; ++i) {
    const int choice = input.ConsumeIntegralInRange<int>(0, 63);
    symbols &= choice != 0;
    Operation operation{loose, 0, 0, 0};
    if (symbols) operation.kind = choice < 3 ? bits : choice < 5 ? plane : symbol;
    operation.model = input.ConsumeIntegralInRange<size_t>(0, weights.size() - 1);
    if (operation.kind == symbol) {
      const auto last = static_cast<uint32_t>(weights[operation.model].size() - 1);
      operation.value = input.ConsumeIntegralInRange<uint32_t>(0, last);
    } else {
      operation.count = input.ConsumeIntegralInRange<int>(operation.kind == bits ? 1 : 0,
                                                          operation.kind == bits ? 15 : 30);
      operation.value = input.ConsumeIntegralInRange<uint32_t>(0, (1u << operation.count) - 1);
    }
    operations.push_back(operation);
  }
  const auto stream = input.ConsumeRemainingBytes<uint8_t>();
  if (many) {
    check<4>(weights, confidence, operations, stream);
  } else {
    check<2>(weights, confidence, operations, stream);
  }
  return 0;
}
