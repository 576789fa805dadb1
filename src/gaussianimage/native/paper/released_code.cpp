#include "paper/released_code.h"

#include <algorithm>
#include <cmath>

#include "render/cell_layout.h"

namespace gi::paper {
namespace {

constexpr int tile = 16;
constexpr int tile_pairs = tile / 2;  // row pairs
static_assert(tile % cell_width == 0 && cell_rows % tile == 0);

int count_tiles(int pixels) { return (pixels + tile - 1) / tile; }

// Rounds toward zero to a number of tiles.
int to_tiles(float tiles, int most) {
  return static_cast<int>(std::clamp(tiles, 0.0f, static_cast<float>(most)));
}

}  // namespace

TileCut::TileCut(int height, int width, int entries)
    : columns_(count_tiles(width)),
      rows_(count_tiles(height)),
      entries_(entries > 0 ? static_cast<uint32_t>(entries) : UINT32_MAX) {}

void TileCut::prepare(const double* centers, const double* cholesky, size_t count) {
  const size_t all = static_cast<size_t>(columns_) * static_cast<size_t>(rows_);
  tiles_.resize(count);
  counts_.assign(all, 0);
  last_.assign(all, UINT32_MAX);
  for (size_t i = 0; i < count; ++i) {
    const Tiles& here = tiles_[i] = find_tiles(centers + 2 * i, cholesky + 3 * i);
    for (int y = here.y0; y < here.y1; ++y) {
      for (int x = here.x0; x < here.x1; ++x) {
        const size_t at =
            static_cast<size_t>(y) * static_cast<size_t>(columns_) + static_cast<size_t>(x);
        if (++counts_[at] == entries_) last_[at] = static_cast<uint32_t>(i);
      }
    }
  }
}

TileCut::Tiles TileCut::find_tiles(const double* center, const double* cholesky) const {
  const float l11 = static_cast<float>(cholesky[0]), l21 = static_cast<float>(cholesky[1]);
  const float l22 = static_cast<float>(cholesky[2]);
  const float xx = l11 * l11, xy = l11 * l21, yy = l21 * l21 + l22 * l22;
  const float determinant = xx * yy - xy * xy, half = 0.5f * (xx + yy);
  const float largest = half + std::sqrt(std::max(0.1f, half * half - determinant));
  const float radius = std::ceil(3 * std::sqrt(largest));
  const float x = static_cast<float>(center[0] - 0.5), y = static_cast<float>(center[1] - 0.5);
  if (determinant == 0 || !std::isfinite(radius) || !std::isfinite(x) || !std::isfinite(y)) {
    return {0, 0, 0, 0};
  }
  return {to_tiles((x - radius) / tile, columns_), to_tiles((y - radius) / tile, rows_),
          to_tiles((x + radius) / tile + 1, columns_), to_tiles((y + radius) / tile + 1, rows_)};
}

Spans TileCut::cut(const Binning::Cell& cell, const Spans& spans) const {
  static thread_local std::vector<CellSpan> kept;
  kept.clear();
  const int column = cell.x / tile, top = cell.y / tile;
  for (const CellSpan* span = spans.begin; span != spans.begin + spans.count; ++span) {
    const Tiles& tiles = tiles_[span->gaussian];
    if (column < tiles.x0 || column >= tiles.x1) continue;
    const int begin = std::max<int>(span->pair0, (tiles.y0 - top) * tile_pairs);
    const int end = std::min<int>(span->pair1, (tiles.y1 - top) * tile_pairs);
    bool open = false;  // whether the last kept span goes on
    for (int pair = begin; pair < end;) {
      const int row = pair / tile_pairs, next = std::min(end, (row + 1) * tile_pairs);
      const size_t at = static_cast<size_t>(top + row) * static_cast<size_t>(columns_) +
                        static_cast<size_t>(column);
      const bool drawn = span->gaussian <= last_[at];
      if (drawn && open) {
        kept.back().pair1 = static_cast<uint8_t>(next);
      } else if (drawn) {
        CellSpan part = *span;
        part.pair0 = static_cast<uint8_t>(pair);
        part.pair1 = static_cast<uint8_t>(next);
        part.u += static_cast<float>(2 * (pair - span->pair0));
        kept.push_back(part);
      }
      open = drawn;
      pair = next;
    }
  }
  return {kept.data(), kept.size()};
}

}  // namespace gi::paper
