#include "eye/box_sums.h"

namespace gi {
namespace {

constexpr size_t side = static_cast<size_t>(block_side);

// The sums along the columns of rows of 16 values that are `side` apart.
void sum_threes_down(Plane& p) {
  const Plane v = p;
  for (size_t y = 1; y < side; ++y) {
    for (size_t x = 0; x < side; ++x) p[y * side + x] += v[(y - 1) * side + x];
  }
  for (size_t y = 0; y + 1 < side; ++y) {
    for (size_t x = 0; x < side; ++x) p[y * side + x] += v[(y + 1) * side + x];
  }
}

void sum_threes_across(Plane& p) {
  const Plane v = p;
  for (size_t y = 0; y < side; ++y) {
    float* to = p.data() + y * side;
    const float* from = v.data() + y * side;
    for (size_t x = 1; x < side; ++x) to[x] += from[x - 1];
    for (size_t x = 0; x + 1 < side; ++x) to[x] += from[x + 1];
  }
}

void sum_down(Plane& p, size_t half) {
  std::array<std::array<double, side>, side + 1> sums{};
  for (size_t y = 0; y < side; ++y) {
    for (size_t x = 0; x < side; ++x) sums[y + 1][x] = sums[y][x] + double{p[y * side + x]};
  }
  for (size_t y = 0; y < side; ++y) {
    const auto& upper = sums[std::min(y + half + 1, side)];
    const auto& lower = sums[y < half ? 0 : y - half];
    for (size_t x = 0; x < side; ++x) p[y * side + x] = static_cast<float>(upper[x] - lower[x]);
  }
}

void sum_across(Plane& p, size_t half) {
  for (size_t y = 0; y < side; ++y) {
    float* row = p.data() + y * side;
    std::array<double, side + 1> sums{};
    for (size_t x = 0; x < side; ++x) sums[x + 1] = sums[x] + double{row[x]};
    for (size_t x = 0; x < side; ++x) {
      row[x] =
          static_cast<float>(sums[std::min(x + half + 1, side)] - sums[x < half ? 0 : x - half]);
    }
  }
}

}  // namespace

void box_sums(Plane& plane, int down, int across) {
  if (down == 1) sum_threes_down(plane);
  if (down > 1) sum_down(plane, static_cast<size_t>(down));
  if (across == 1) sum_threes_across(plane);
  if (across > 1) sum_across(plane, static_cast<size_t>(across));
}

}  // namespace gi
