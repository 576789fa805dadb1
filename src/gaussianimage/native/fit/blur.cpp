#include "fit/blur.h"

#include <algorithm>
#include <vector>

#include "base/grow.h"
#include "base/pool.h"
#include "fit/blur_tile.h"

namespace gi {
namespace {

// A map in bands of rows, which are blurred independently of each other.
template <int R>
class Bands {
 public:
  Bands(float* map, ptrdiff_t height, ptrdiff_t width)
      : map_(map),
        height_(height),
        width_(width),
        count_((height + most_tile_rows - 1) / most_tile_rows),
        edges_(
            make_zeros<std::vector<float>>(static_cast<size_t>((count_ - 1) * edge_rows * width))) {
  }

  int count() const { return static_cast<int>(count_); }

  // Copies the rows above and below the beginning of band i + 1, which both bands need.
  void keep_edge(int i) {
    const ptrdiff_t first = top(i + 1) - reach;
    std::copy_n(map_ + first * width_, edge_rows * width_, edge(i));
  }

  void blur(int i) {
    // A tile is written when the next one has been read, which needs what lies left of it.
    TileMap blurred;
    MapTile done{};
    const auto write = [&] {
      for (ptrdiff_t y = done.top; y < done.bottom; ++y) {
        std::copy_n(blurred.data() + (y - done.top) * most_tile_columns, done.width(),
                    map_ + y * width_ + done.left);
      }
    };
    const auto load = [&](ptrdiff_t y, ptrdiff_t left, ptrdiff_t right, float* to) {
      const float* const from = row(i, y);
      std::copy(from + left, from + right, to);
    };
    const ptrdiff_t across = (width_ + most_tile_columns - 1) / most_tile_columns;
    for (ptrdiff_t j = 0; j < across; ++j) {
      const MapTile tile{top(i), top(i + 1), width_ * j / across, width_ * (j + 1) / across};
      blur_tile<R, 2>(height_, width_, tile, load, [&](ptrdiff_t y, const float* from) {
        if (y == tile.top) write();
        std::copy_n(from, tile.width(), blurred.data() + (y - tile.top) * most_tile_columns);
      });
      done = tile;
    }
    write();
  }

 private:
  static constexpr ptrdiff_t reach = 2 * R, edge_rows = 2 * reach;
  // A band reaches no further than into the next one.
  static_assert(reach <= most_tile_rows / 2);

  ptrdiff_t top(ptrdiff_t i) const { return height_ * i / count_; }
  float* edge(ptrdiff_t i) { return edges_.data() + i * edge_rows * width_; }

  // Row y, as it was, of band i or next to it.
  const float* row(int i, ptrdiff_t y) {
    if (y < top(i)) return edge(i - 1) + (y - top(i) + reach) * width_;
    if (y >= top(i + 1)) return edge(i) + (y - top(i + 1) + reach) * width_;
    return map_ + y * width_;
  }

  float* const map_;
  const ptrdiff_t height_, width_, count_;
  std::vector<float> edges_;
};

template <int R>
void blur_bands(float* map, ptrdiff_t height, ptrdiff_t width, int threads) {
  Bands<R> bands(map, height, width);
  parallel(bands.count() - 1, threads, [&](int i) { bands.keep_edge(i); });
  parallel(bands.count(), threads, [&](int i) { bands.blur(i); });
}

}  // namespace

void blur_twice(float* map, ptrdiff_t height, ptrdiff_t width, int radius, int threads) {
  radius == 1 ? blur_bands<1>(map, height, width, threads)
              : blur_bands<2>(map, height, width, threads);
}

}  // namespace gi
