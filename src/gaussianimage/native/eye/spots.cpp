#include "eye/spots.h"

#include <cmath>
#include <cstdlib>

#include "base/parallel_blocks.h"
#include "eye/box_sums.h"

namespace gi {
namespace {

constexpr size_t blocks_per_task = 4;

Spot find_spot(const Block& error, int channels, const std::array<int32_t, 2>* shapes,
               size_t shape_count) {
  Spot best{};
  float most = -1;
  Block sums;
  for (size_t shape = 0; shape < shape_count; ++shape) {
    const auto [down, across] = shapes[shape];
    const float area = static_cast<float>((2 * down + 1) * (2 * across + 1));
    Plane energy{};
    for (size_t c = 0; c < static_cast<size_t>(channels); ++c) {
      sums[c] = error[c];
      box_sums(sums[c], down, across);
      for (size_t i = 0; i < block_pixels; ++i) energy[i] += sums[c][i] * sums[c][i];
    }
    for (float& value : energy) value /= area;
    size_t peak = 0;
    for (size_t i = 1; i < block_pixels; ++i) {
      if (energy[i] > energy[peak]) peak = i;
    }
    if (!(energy[peak] > most)) continue;
    most = energy[peak];
    const int32_t place = static_cast<int32_t>(peak);
    best.y = place / int32_t{block_side};
    best.x = place % int32_t{block_side};
    best.down = down;
    best.across = across;
    for (size_t c = 0; c < static_cast<size_t>(channels); ++c)
      best.colors[c] = -sums[c][peak] / area;
  }
  return best;
}

void add(const Spot& spot, int channels, Block& error) {
  for (int y = std::max(spot.y - spot.down, 0); y <= spot.y + spot.down && y < block_side; ++y) {
    for (int x = std::max(spot.x - spot.across, 0); x <= spot.x + spot.across && x < block_side;
         ++x) {
      for (size_t c = 0; c < static_cast<size_t>(channels); ++c) {
        error[c][static_cast<size_t>(y * block_side + x)] += spot.colors[c];
      }
    }
  }
}

}  // namespace

void find_spots(const BlockSource& errors, const int64_t* numbers, size_t count,
                const std::array<int32_t, 2>* shapes, size_t shape_count, size_t rounds,
                int threads, Spot* spots) {
  parallel_blocks(count, blocks_per_task, threads, [&](size_t begin, size_t end) {
    for (size_t i = begin; i < end; ++i) {
      Block error;
      cut_block(errors, numbers[i], error);
      for (size_t round = 0; round < rounds; ++round) {
        for (size_t c = 0; c < static_cast<size_t>(errors.channels); ++c) {
          clear_beyond(error[c], errors.rows(numbers[i]), errors.columns(numbers[i]));
        }
        const Spot spot = find_spot(error, errors.channels, shapes, shape_count);
        spots[round * count + i] = spot;
        add(spot, errors.channels, error);
      }
    }
  });
}

}  // namespace gi
