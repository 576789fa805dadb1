// Blurs a tile of a map with a small box, so that several passes take one way through memory.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>

#include "base/interrupt.h"
#include "base/pool.h"

namespace gi {

// Part of a map: rows top … bottom - 1, columns left … right - 1.
struct MapTile {
  ptrdiff_t top, bottom, left, right;

  ptrdiff_t width() const { return right - left; }
};

// The size of tiles. Smaller ones blur more pixels twice; some buffers of larger ones would not fit
// the stacks of threads, which have 128 kB with some C libraries.
constexpr ptrdiff_t most_tile_rows = 32, most_tile_columns = 128;

// One value for each pixel of a tile.
using TileMap = std::array<float, static_cast<size_t>(most_tile_rows* most_tile_columns)>;

// Runs body(tile) for tiles that cover a map, on up to `threads` threads.
template <typename Body>
void for_tiles(ptrdiff_t height, ptrdiff_t width, int threads, Body&& body) {
  const ptrdiff_t down = (height + most_tile_rows - 1) / most_tile_rows;
  const ptrdiff_t across = (width + most_tile_columns - 1) / most_tile_columns;
  parallel_ranges(static_cast<int>(down), threads, [&](int begin, int end) {
    for (ptrdiff_t i = begin; i < end; ++i) {
      check_interrupt();
      for (ptrdiff_t j = 0; j < across; ++j) {
        body(MapTile{height * i / down, height * (i + 1) / down, width * j / across,
                     width * (j + 1) / across});
      }
    }
  });
}

// Blurs a tile of a map of height × width floats, `passes` times down the columns and then along
// the rows, with a box of side 2 R + 1; the map's edges are repeated. load(y, left, right, to)
// writes a part of row y of the map, and store(y, row) takes a row of the tile. A pixel costs 4 R
// additions and two products for each pass.
template <int R, int passes, typename Load, typename Store>
void blur_tile(ptrdiff_t height, ptrdiff_t width, const MapTile& tile, Load&& load, Store&& store) {
  constexpr ptrdiff_t reach = R * passes;
  constexpr float share = 1.0f / (2 * R + 1);
  constexpr ptrdiff_t row_floats = most_tile_columns + 2 * reach;
  using Rows = std::array<float, (most_tile_rows + 2 * reach) * row_floats>;
  Rows buffers[2];
  const ptrdiff_t first = std::max<ptrdiff_t>(0, tile.top - reach);
  const ptrdiff_t last = std::min(height, tile.bottom + reach);
  const ptrdiff_t left = std::max<ptrdiff_t>(0, tile.left - reach);
  const ptrdiff_t right = std::min(width, tile.right + reach), columns = right - left;
  const auto row_of = [&](Rows& rows, ptrdiff_t y) {
    return rows.data() + (y - first) * row_floats;
  };
  for (ptrdiff_t y = first; y < last; ++y) load(y, left, right, row_of(buffers[0], y));
  for (int pass = 1; pass <= passes; ++pass) {
    const ptrdiff_t more = R * (passes - pass);  // rows that later passes need around the tile
    const ptrdiff_t top = std::max<ptrdiff_t>(0, tile.top - more);
    const ptrdiff_t bottom = std::min(height, tile.bottom + more);
    Rows &from = buffers[(pass - 1) % 2], &to = buffers[pass % 2];
    for (ptrdiff_t y = top; y < bottom; ++y) {
      const float* rows[2 * R + 1];
      for (int i = 0; i <= 2 * R; ++i) {
        rows[i] = row_of(from, std::clamp<ptrdiff_t>(y + i - R, 0, height - 1));
      }
      float* const out = row_of(to, y);
      for (ptrdiff_t x = 0; x < columns; ++x) {
        float sum = rows[0][x];
        for (int i = 1; i <= 2 * R; ++i) sum += rows[i][x];
        out[x] = share * sum;
      }
    }
  }
  // Rows with R more pixels on each side. Where these are not beyond the map, they are wrong, and
  // so are R more of the results on each side after every pass; the tile's own pixels stay right.
  std::array<float, row_floats + 2 * R> padded[2];
  for (ptrdiff_t y = tile.top; y < tile.bottom; ++y) {
    std::copy_n(row_of(buffers[passes % 2], y), columns, padded[0].data() + R);
    for (int pass = 0; pass < passes; ++pass) {
      float* const in = padded[pass % 2].data();
      float* const out = padded[(pass + 1) % 2].data() + R;
      std::fill_n(in, R, in[R]);
      std::fill_n(in + R + columns, R, in[R + columns - 1]);
      for (ptrdiff_t x = 0; x < columns; ++x) {
        float sum = in[x];
        for (int i = 1; i <= 2 * R; ++i) sum += in[x + i];
        out[x] = share * sum;
      }
    }
    store(y, padded[passes % 2].data() + R + (tile.left - left));
  }
}

}  // namespace gi
