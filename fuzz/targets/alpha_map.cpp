// Any bytes as a map of alpha, and its classes at another size. What decodes encodes to a map of
// the same classes, and the map in tiles gives the same as the map in one piece.
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

  std::vector<uint8_t> sets(whole.size());
  const int side = 1 + (part.top + part.left) % 40;
  for (int top = 0; top < height; top += side) {
    for (int left = 0; left < width; left += side) {
      gi::AlphaTile tile{
          {top, left, std::min(side, height - top), std::min(side, width - left)}, nullptr, 0};
      std::vector<uint8_t> own;
      for (int y = 0; y < tile.place.height; ++y) {
        const auto row = classes.begin() + static_cast<ptrdiff_t>(top + y) * width + left;
        own.insert(own.end(), row, row + tile.place.width);
      }
      tile.all = own[0];
      const auto same = [&](uint8_t c) { return c == tile.all; };
      if (!std::all_of(own.begin(), own.end(), same)) tile.classes = own.data();
      gi::add_alpha_sets(tile, height, width, drawn_height, drawn_width,
                         {0, 0, drawn_height, drawn_width}, 2, sets.data(), workspace);
    }
  }
  gi::alpha_sets_to_classes(sets.data(), sets.size());
  REQUIRE(sets == whole);
  return 0;
}
