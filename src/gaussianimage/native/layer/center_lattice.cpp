#include "layer/center_lattice.h"

#include <array>

#include "layer/dequantize.h"

namespace gi {
namespace {

// Returns the lattice of a shape; section 4.6 of docs/format.md.
CenterLattice make_lattice(double d1, double d2) {
  const double r = std::sqrt(d1 * d1 + d2 * d2);
  const Factor factor = make_factor(d1, d2, r, std::exp(2 * r), 1);
  const double xx = factor.l11 * factor.l11, slope = factor.l21 / factor.l11;
  const int k = std::clamp(static_cast<int>(std::floor(std::log2(xx) / 2)), -3, 3);
  CenterLattice lattice{std::max(k, 0), std::max(-k, 0), 0};
  const auto shift = static_cast<int64_t>(std::floor(std::ldexp(16 * slope, 2 * k) + 0.5)) + 8;
  // The height is a power of two, so this is the remainder, also of a negative shift.
  lattice.shift = static_cast<int32_t>(shift & (lattice.height() - 1));
  return lattice;
}

// The cell that has a coordinate, at most the last.
int64_t cell_at(double coordinate, int64_t cells) {
  return std::min(static_cast<int64_t>(coordinate), cells - 1);
}

// Finds the point of lattices that is nearest to (x, y), in cells.
class NearestPoint {
 public:
  NearestPoint(const CenterLattice& lattice, double x, double y, const double* metric)
      : lattice_(lattice),
        x_(x),
        y_(y),
        metric_(metric),
        width_(lattice.width()),
        unit_(1 / (16 * width_)) {}

  // The number of the lattice's column that has x, from the grid's left border.
  int64_t column() const { return static_cast<int64_t>(std::floor(x_ / width_)); }

  // The number of the row, from the grid's upper border, that is nearest in a column.
  int64_t row(int64_t column) const {
    const double best = y_ - metric_[1] / metric_[2] * across(column);
    const double sixteenths = best / unit_ - static_cast<double>(first(column));
    return static_cast<int64_t>(std::floor(sixteenths / 16 + 0.5));
  }

  // Takes a point if its block is allowed and it is nearer than those before.
  template <typename Allowed>
  void consider(int64_t column, int64_t row, const Allowed& allowed) {
    const int64_t columns = lattice_.columns(), height = lattice_.height();
    const int64_t up = 16 * row + first(column);
    if (column < 0 || up < 0) return;
    const int64_t block_x = column / columns, block_y = up / height;
    if (!allowed(block_x, block_y)) return;
    const double dx = across(column), dy = static_cast<double>(up) * unit_ - y_;
    const double distance = metric_[0] * dx * dx + 2 * metric_[1] * dx * dy + metric_[2] * dy * dy;
    if (distance >= least_) return;
    least_ = distance;
    const int64_t i = column % columns, j = ((up - first(column)) & (height - 1)) / 16;
    const int widened = lattice_.widened, narrowed = lattice_.narrowed;
    const int64_t a = i >> narrowed << widened | (j & ((1 << widened) - 1));
    const int64_t b = j >> widened << narrowed | (i & ((1 << narrowed) - 1));
    nearest_ = {static_cast<int32_t>(lattice_side * block_x + a),
                static_cast<int32_t>(lattice_side * block_y + b)};
  }

  bool found() const { return least_ < HUGE_VAL; }
  CellPoint nearest() const { return nearest_; }

 private:
  double across(int64_t column) const { return (static_cast<double>(column) + 0.5) * width_ - x_; }
  // The height of a column's point of row 0, in sixteenths of the distance of its points.
  int64_t first(int64_t column) const { return 8 + column % lattice_.columns() * lattice_.shift; }

  CenterLattice lattice_;
  double x_, y_;
  const double* metric_;
  double width_, unit_, least_ = HUGE_VAL;
  CellPoint nearest_{};
};

}  // namespace

const int32_t* center_lattices() {
  static const auto table = [] {
    std::array<int32_t, lattice_kinds * lattice_kinds> packed{};
    for (int32_t first = 0; first < lattice_kinds; ++first) {
      for (int32_t second = 0; second < lattice_kinds; ++second) {
        const double d1 = (first - lattice_quarters) / 4.0, d2 = (second - lattice_quarters) / 4.0;
        packed[static_cast<size_t>(first * lattice_kinds + second)] = make_lattice(d1, d2).packed();
      }
    }
    return packed;
  }();
  return table.data();
}

CellPoint nearest_center(const CenterLattice& lattice, int64_t columns, int64_t rows, double x,
                         double y, const double* metric) {
  x = std::clamp(x, 0.0, static_cast<double>(columns));
  y = std::clamp(y, 0.0, static_cast<double>(rows));
  const int64_t cell_x = cell_at(x, columns), cell_y = cell_at(y, rows);
  const auto whole = [&](int64_t block_x, int64_t block_y) {
    return lattice_side * (block_x + 1) <= columns && lattice_side * (block_y + 1) <= rows;
  };
  const int64_t own_x = cell_x / lattice_side, own_y = cell_y / lattice_side;
  if (!whole(own_x, own_y)) return {static_cast<int32_t>(cell_x), static_cast<int32_t>(cell_y)};
  NearestPoint point(lattice, x, y, metric);
  const int64_t here = point.column();
  for (int64_t column = std::max<int64_t>(here - 1, 0); column <= here + 1; ++column) {
    const int64_t middle = point.row(column);
    for (int64_t row = middle - 1; row <= middle + 1; ++row) point.consider(column, row, whole);
  }
  if (!point.found()) {
    // The lattice runs out of the picture beside the point. Its own block has the nearest center
    // then.
    const auto own = [&](int64_t block_x, int64_t block_y) {
      return block_x == own_x && block_y == own_y;
    };
    const int64_t across = lattice.columns(), down = lattice_side * lattice_side / across;
    for (int64_t column = own_x * across; column < (own_x + 1) * across; ++column) {
      const int64_t top = own_y * down;
      // Rows are counted without the shift, of which a block's height is the most.
      for (int64_t row = top - across * down; row < top + down; ++row)
        point.consider(column, row, own);
    }
  }
  return point.nearest();
}

}  // namespace gi
