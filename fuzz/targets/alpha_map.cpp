// Any bytes as a map of alpha, and its classes at another size. What decodes encodes to a map of
// the same classes.
#include <fuzzer/FuzzedDataProvider.h>

#include <algorithm>

#include "file/alpha_map.h"
#include "support/require.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 12) return 0;
  FuzzedDataProvider input(data + size - 12, 12);
  const int height = input.ConsumeIntegralInRange<int>(1, 100);
  const int width = input.ConsumeIntegralInRange<int>(1, 100);
  const int drawn_height = input.ConsumeIntegralInRange<int>(1, 150);
  const int drawn_width = input.ConsumeIntegralInRange<int>(1, 150);
  gi::Part part{};
  part.top = input.ConsumeIntegralInRange<int>(0, drawn_height - 1);
  part.left = input.ConsumeIntegralInRange<int>(0, drawn_width - 1);
  part.height = input.ConsumeIntegralInRange<int>(1, drawn_height - part.top);
  part.width = input.ConsumeIntegralInRange<int>(1, drawn_width - part.left);

  gi::AlphaMapWorkspace workspace;
  std::vector<uint8_t> classes, again;
  if (!gi::decode_alpha_map(data, size - 12, height, width, classes, workspace)) return 0;
  REQUIRE(classes.size() >= static_cast<size_t>(height) * static_cast<size_t>(width));
  const std::vector<uint8_t> bytes = gi::encode_alpha_map(classes.data(), height, width);
  REQUIRE(gi::decode_alpha_map(bytes.data(), bytes.size(), height, width, again, workspace));
  const auto count = static_cast<ptrdiff_t>(height) * width;
  REQUIRE(std::equal(classes.begin(), classes.begin() + count, again.begin()));

  const auto drawn = [&](const gi::Part& what, int threads) {
    std::vector<uint8_t> found(static_cast<size_t>(what.height) * static_cast<size_t>(what.width));
    gi::alpha_classes(classes.data(), height, width, drawn_height, drawn_width, what, threads,
                      found.data(), workspace);
    return found;
  };
  const std::vector<uint8_t> whole = drawn({0, 0, drawn_height, drawn_width}, 1);
  const std::vector<uint8_t> crop = drawn(part, 2);
  for (int y = 0; y < part.height; ++y) {
    const ptrdiff_t at = static_cast<ptrdiff_t>(part.top + y) * drawn_width + part.left;
    const ptrdiff_t row = static_cast<ptrdiff_t>(y) * part.width;
    REQUIRE(std::equal(crop.begin() + row, crop.begin() + row + part.width, whole.begin() + at));
  }
  return 0;
}
