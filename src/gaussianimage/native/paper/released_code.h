// What the paper's released kernels do otherwise, for comparison: the gradient off the diagonal of
// a covariance counts twice, a Gaussian is cut off at the tiles of its square of 3σ, and a tile
// draws no more than its first entries. docs/reproduce/paper.md says what these do to the results.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "fit/residual_pass.h"
#include "render/binning.h"

namespace gi::paper {

struct ReleasedCode {
  bool doubled_gradient = false;
  bool tile_cut = false;
  int tile_entries = 0;  // 0: all; only with tile_cut
};

// Which parts of a Gaussian are drawn if tiles of 16 × 16 pixels cut it off. The tiles from
// (c - r) / 16 to (c + r) / 16 in both directions are, with c the center in units where pixels have
// integer coordinates, r = ⌈3 √λ⌉, and λ = t / 2 + √max(0.1, t² / 4 - det) of the covariance's
// trace and determinant.
class TileCut {
 public:
  TileCut(int height, int width, int entries);

  // Finds the tiles of all Gaussians, and the tiles that are full.
  void prepare(const double* centers, const double* cholesky, size_t count);

  // Returns the parts of a cell's spans that are drawn; valid until the next call on this thread.
  Spans cut(const Binning::Cell& cell, const Spans& spans) const;

 private:
  struct Tiles {
    int x0, y0, x1, y1;  // [x0, x1) × [y0, y1)
  };
  Tiles find_tiles(const double* center, const double* cholesky) const;

  int columns_, rows_;
  uint32_t entries_;
  std::vector<Tiles> tiles_;      // of each Gaussian
  std::vector<uint32_t> counts_;  // entries of each tile
  std::vector<uint32_t> last_;    // the last Gaussian that each tile draws
};

}  // namespace gi::paper
