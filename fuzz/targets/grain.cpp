// Any bytes as levels of grain, added to pixels of each type: the same on every instruction set,
// and a part gets the grain that it has in the whole.
#include <fuzzer/FuzzedDataProvider.h>

#include <algorithm>

#include "grain/add_grain.h"
#include "grain/grain_block.h"
#include "grain/grain_levels.h"
#include "support/instruction_sets.h"

namespace {

template <typename T>
T scale(uint8_t byte) {
  if constexpr (sizeof(T) == 4) return static_cast<T>(byte) / 255;
  return static_cast<T>(static_cast<int>(byte) * (sizeof(T) == 2 ? 257 : 1));
}

template <typename T>
void check(const gi::Grain& grain, int channels, const gi::Part& part, int height, int width,
           uint8_t start) {
  std::vector<T> plain(static_cast<size_t>(height) * static_cast<size_t>(width) *
                       static_cast<size_t>(channels));
  for (size_t i = 0; i < plain.size(); ++i) {
    plain[i] = scale<T>(static_cast<uint8_t>(start + i * 37 / 8));
  }
  const auto add = [&](std::vector<T> pixels, const gi::Part& what, int threads) {
    gi::add_grain(grain, pixels.data(), channels, what, height, width, threads);
    return pixels;
  };
  REQUIRE(gi::has_whole_blocks(part, height, width));
  const std::vector<T> whole =
      fuzz::same_on_all([&] { return add(plain, {0, 0, height, width}, 1); });
  std::vector<T> piece;
  const auto row = static_cast<ptrdiff_t>(part.width) * channels;
  const auto begin = [&](int y) {
    return (static_cast<ptrdiff_t>(part.top + y) * width + part.left) * channels;
  };
  for (int y = 0; y < part.height; ++y) {
    piece.insert(piece.end(), plain.begin() + begin(y), plain.begin() + begin(y) + row);
  }
  piece = fuzz::same_on_all([&] { return add(piece, part, 2); });
  for (int y = 0; y < part.height; ++y) {
    REQUIRE(std::equal(piece.begin() + y * row, piece.begin() + (y + 1) * row,
                       whole.begin() + begin(y)));
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 20) return 0;
  FuzzedDataProvider input(data + size - 20, 20);
  gi::Grain grain{};
  grain.height = input.ConsumeIntegralInRange<int>(1, 40);
  grain.width = input.ConsumeIntegralInRange<int>(1, 40);
  grain.seed = input.ConsumeIntegral<uint8_t>();
  grain.cell = input.ConsumeIntegralInRange<int>(3, 8);
  for (uint8_t& value : grain.brightness) value = input.ConsumeIntegral<uint8_t>();
  const int channels = input.ConsumeIntegralInRange<int>(1, gi::max_channels);
  int height = grain.height, width = grain.width;
  if (input.ConsumeBool()) {
    height += input.ConsumeIntegralInRange<int>(0, 20);
    width += input.ConsumeIntegralInRange<int>(0, 20);
  }
  gi::Part part{};
  constexpr int side = gi::grain_block;
  part.top = input.ConsumeIntegralInRange<int>(0, (height - 1) / side) * side;
  part.left = input.ConsumeIntegralInRange<int>(0, (width - 1) / side) * side;
  part.height = std::min(input.ConsumeIntegralInRange<int>(1, 7) * side, height - part.top);
  part.width = std::min(input.ConsumeIntegralInRange<int>(1, 7) * side, width - part.left);
  const auto start = input.ConsumeIntegral<uint8_t>();

  const auto rows = static_cast<size_t>(grain.rows()),
             columns = static_cast<size_t>(grain.columns());
  grain.levels.resize(rows * columns * gi::grain_bands);
  if (gi::decode_grain_levels(data, size - 20, rows, columns, grain.levels.data())) {
    const std::vector<uint8_t> bytes = gi::encode_grain_levels(grain.levels.data(), rows, columns);
    std::vector<uint8_t> again(grain.levels.size());
    REQUIRE(gi::decode_grain_levels(bytes.data(), bytes.size(), rows, columns, again.data()));
    REQUIRE(again == grain.levels);
  } else {
    for (size_t i = 0; i < grain.levels.size(); ++i) {
      grain.levels[i] = static_cast<uint8_t>(data[i % size] % gi::grain_levels);
    }
  }
  check<uint8_t>(grain, channels, part, height, width, start);
  check<uint16_t>(grain, channels, part, height, width, start);
  check<float>(grain, channels, part, height, width, start);
  return 0;
}
