// Raw Gaussians of all kinds, NaN and infinity included: pixels are the same on every instruction
// set, for every number of threads, and when only a part is drawn.
#include "render/render.h"

#include <algorithm>

#include "support/gaussians.h"
#include "support/instruction_sets.h"

namespace {

using Bytes = std::vector<uint8_t>;

Bytes draw(const fuzz::Gaussians& gaussians, const gi::Window& window, const gi::Part& part,
           gi::PixelKind kind, bool straight, int threads) {
  constexpr float background[4] = {0.25f, 0.5f, 0.75f, 1.0f};
  Bytes pixels(static_cast<size_t>(part.height) * static_cast<size_t>(part.width) *
               static_cast<size_t>(gaussians.channels) * gi::bytes_per_value(kind));
  const gi::PixelSink sink(kind, straight, gaussians.channels, part, pixels.data());
  REQUIRE(gi::render(gaussians.source(), window, background, gi::Work{}, threads, sink));
  return pixels;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  FuzzedDataProvider input(data, size);
  const int height = input.ConsumeIntegralInRange<int>(1, 100);
  const int width = input.ConsumeIntegralInRange<int>(1, 100);
  const gi::Window window{0, 0, height, width};
  const auto kind = static_cast<gi::PixelKind>(input.ConsumeIntegralInRange<int>(0, 3));
  gi::Part part{};
  part.top = input.ConsumeIntegralInRange<int>(0, height - 1);
  part.left = input.ConsumeIntegralInRange<int>(0, width - 1);
  part.height = input.ConsumeIntegralInRange<int>(1, height - part.top);
  part.width = input.ConsumeIntegralInRange<int>(1, width - part.left);
  const bool wants_straight = input.ConsumeBool();
  const fuzz::Gaussians gaussians(input, height, width, 60);
  // Sums have nothing divided by alpha.
  const bool straight =
      wants_straight && gaussians.channels % 2 == 0 && kind != gi::PixelKind::sums;
  const gi::Part all{0, 0, height, width};

  const Bytes whole =
      fuzz::same_on_all([&] { return draw(gaussians, window, all, kind, straight, 1); });
  REQUIRE(draw(gaussians, window, all, kind, straight, 3) == whole);
  const Bytes crop =
      fuzz::same_on_all([&] { return draw(gaussians, window, part, kind, straight, 1); });
  const size_t value = gi::bytes_per_value(kind) * static_cast<size_t>(gaussians.channels);
  const auto row = static_cast<ptrdiff_t>(static_cast<size_t>(part.width) * value);
  for (int y = 0; y < part.height; ++y) {
    const auto at =
        static_cast<ptrdiff_t>((static_cast<size_t>(part.top + y) * static_cast<size_t>(width) +
                                static_cast<size_t>(part.left)) *
                               value);
    REQUIRE(std::equal(crop.begin() + y * row, crop.begin() + (y + 1) * row, whole.begin() + at));
  }
  return 0;
}
