// The lattice of a Gaussian's possible centers, which follows its shape.
//
// Section 4.6 of docs/format.md has the formulas. A grid's cells form blocks of 8 × 8. The three
// low bits of x and y together choose one of the 64 points of a lattice in the block. Its columns
// are as wide as the Gaussian is along x, and the points of a column as close as the Gaussian is
// along y at a fixed x; so errors along the longer axis, which change the picture little, cost few
// bits.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "layer/quantizer.h"

namespace gi {

constexpr int32_t lattice_side = 8;  // of a block, in cells

// A lattice has 8 / width columns of width = 2^(widened - narrowed) cells, and 8 width points in
// each. A column is `shift` sixteenths of the distance of its points higher than the one to its
// left. Centers are multiples of 1/128 cell.
struct CenterLattice {
  int32_t widened, narrowed, shift;

  int32_t columns() const { return lattice_side >> widened << narrowed; }
  // The height of a block in sixteenths of the distance of a column's points.
  int32_t height() const { return 16 * lattice_side << widened >> narrowed; }
  // The width of a column in cells.
  double width() const { return static_cast<double>(lattice_side) / columns(); }

  // Both as one integer, in which tables have them.
  static CenterLattice unpack(int32_t packed) {
    return {packed >> 10 & 3, packed >> 12 & 3, packed & 1023};
  }
  int32_t packed() const { return shift | widened << 10 | narrowed << 12; }
};

// Lattices depend on d1 and d2 (section 4.2) rounded to quarters, which are at most 7.
constexpr int32_t lattice_quarters = 28, lattice_kinds = 2 * lattice_quarters + 1;

// The packed lattices of all rounded d1, and for each of them of all d2.
const int32_t* center_lattices();

// The place of a shape's lattice in `center_lattices`.
__attribute__((always_inline)) inline int32_t lattice_number(double d1, double d2) {
  const auto first = static_cast<int32_t>(std::floor(4 * d1 + 0.5)) + lattice_quarters;
  const auto second = static_cast<int32_t>(std::floor(4 * d2 + 0.5)) + lattice_quarters;
  return std::clamp(first, 0, lattice_kinds - 1) * lattice_kinds +
         std::clamp(second, 0, lattice_kinds - 1);
}

// Whether the grid covers the block of a cell whole.
__attribute__((always_inline)) inline bool in_whole_block(int32_t columns, int32_t rows, int32_t x,
                                                          int32_t y) {
  return ((x | 7) < columns) & ((y | 7) < rows);
}

// Computes the center at (x, y) in 1/128 cell. Always inlined and without branches, so that loops
// of it become vectors.
__attribute__((always_inline)) inline void locate_center(int32_t packed, int32_t columns,
                                                         int32_t rows, int32_t x, int32_t y,
                                                         int32_t& across, int32_t& down) {
  // In a block that the grid does not cover whole, centers are the middles of cells.
  const CenterLattice lattice =
      CenterLattice::unpack(in_whole_block(columns, rows, x, y) ? packed : 0);
  const int32_t widened = lattice.widened, narrowed = lattice.narrowed;
  const int32_t a = x & 7, b = y & 7;
  const int32_t i = a >> widened << narrowed | (b & ((1 << narrowed) - 1));
  const int32_t j = b >> narrowed << widened | (a & ((1 << widened) - 1));
  const int32_t height = 128 << widened >> narrowed;
  across = 128 * (x - a) + ((2 * i + 1) << (6 + widened - narrowed));
  down = 128 * (y - b) +
         (((16 * j + 8 + i * lattice.shift) & (height - 1)) << (3 - widened + narrowed));
}

// A point of a grid's cells.
struct CellPoint {
  int32_t x, y;
};

// Returns the integers whose center is nearest to a point inside the grid, in cells, by the metric
// (m0, m1; m1, m2). A point outside moves to the border first.
CellPoint nearest_center(const CenterLattice& lattice, int64_t columns, int64_t rows, double x,
                         double y, const double* metric);

}  // namespace gi
