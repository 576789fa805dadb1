// Draws the large Gaussians of a fit on coarser grids, which takes a fraction of the time.
//
// A Gaussian whose smaller standard deviation is 4 px or more has next to nothing above half the
// Nyquist frequency. It is sampled at every second pixel, and from 8 px on at every fourth. The
// grids are brought up by subdivision. Subdivision blurs them by a known variance, which is taken
// off the Gaussian before. The gradient is the one of this drawing: the residual is brought down by
// the adjoint of the subdivision.
//
// A coarse grid cannot hold the edge that the cut at the model's q_max leaves, so large Gaussians
// are cut where their weight is 0.4 % of the largest. docs/experiments/coarse-grids.md tells how
// far the drawing is from the exact sum, and what the time is.
#pragma once

#include <cstdint>
#include <vector>

#include "base/aligned_vector.h"
#include "render/binning.h"
#include "render/cell_buffers.h"
#include "render/gaussians.h"

namespace gi {

class CoarseGrids {
 public:
  // The size is that of the picture.
  CoarseGrids(int height, int width, int channels, int threads);

  // Makes room for a number of Gaussians.
  void reserve(size_t gaussians);

  // Frees the pictures of the grids until the next `draw`; they take 6 bytes for each pixel.
  void free_pictures();

  // Sorts Gaussians by the grid that they are drawn on.
  void assign(const Source& source);

  // The Gaussians that are drawn at every pixel, and the number of each of them in `source`.
  Source fine() const;
  uint32_t number(size_t fine) const { return fine_.numbers[fine]; }

  // The grid that draws a Gaussian.
  struct Place {
    uint8_t level;   // 0: every pixel, 1: every second, 2: every fourth
    uint32_t index;  // among those of its level
  };
  Place place(size_t i) const { return places_[i]; }
  bool visible(Place place) const { return grids_[place.level - 1].binning.visible(place.index); }

  // Draws the large Gaussians.
  void draw();

  // Whether no Gaussian is large.
  bool empty() const { return grids_[0].set.numbers.empty() && grids_[1].set.numbers.empty(); }

  // Sets a cell of the picture to the drawing less `subtracted`, which may be null. Several threads
  // may call it.
  void start(const Binning::Cell& cell, const float* subtracted, float* p) const;

  // Takes the residual in a cell, whose pixels outside of the picture are zero. The cells of a
  // strip come from the top down; several threads may call it for different strips.
  void take(const Binning::Cell& cell, const float* p);

  // Runs reduce(i, totals) for each large Gaussian i with its moments against the residual: those
  // with the same derivatives as if it was drawn at every pixel.
  template <typename Reduce>
  void reduce(Reduce&& reduce) {
    if (empty()) return;
    bring_residual_down();
    for (Grid& grid : grids_) {
      for (int group = 0; group < grid.binning.groups(); ++group) {
        sum_moments(grid, group);
        reduce_moments(grid.binning, grid.moments.data(), threads_,
                       [&](size_t i, const MomentTotals& totals) {
                         reduce(grid.set.numbers[i], in_own_frame(grid, i, totals));
                       });
      }
    }
  }

 private:
  struct Set {
    std::vector<uint32_t> numbers;
    std::vector<double> means, cholesky;
    std::vector<float> colors;
  };

  // How the moments of the Gaussian that a grid draws become those of the Gaussian itself: the
  // matrix A = B⁻¹ L, where B Bᵀ is its covariance less the blur; the diagonals of L in pixels and
  // of B in samples of the grid; and the factor of its color.
  struct Frame {
    double a11, a21, a22, l11, l22, b11, b22, gain;
  };

  // A coarser grid. Its picture begins at sample (-2, -2).
  struct Grid {
    int height, width;
    int offset;                   // the first sample that the finer picture's first one needs
    int fine_strips, fine_pairs;  // strips and row pairs of the finer picture
    Set set;
    std::vector<Frame> frames;
    Binning binning;
    std::vector<Moments> moments;
    // The drawing, later the residual, in cells; and the share in the residual of each strip of the
    // finer picture.
    AlignedVector<float> picture, sums;
    size_t strip_floats(int channels) const {
      return static_cast<size_t>(height + 1) / 2 * 16 * static_cast<size_t>(channels);
    }
  };

  void allocate_pictures();
  void add(int level, const Source& source, uint32_t i);
  void draw(Grid& grid);
  void subdivide(const Grid& grid, int strip, int y, int pairs, const float* subtracted,
                 float* p) const;
  void restrict_cell(Grid& grid, int strip, int y, int pairs, const float* p);
  void join_sums(Grid& grid);
  void bring_residual_down();
  MomentTotals in_own_frame(const Grid& grid, size_t index, const MomentTotals& totals) const;
  void sum_moments(Grid& grid, int group);
  Source source(const Grid& grid) const;

  int channels_;
  int threads_;
  double fine_q_max_ = 0;
  Set fine_;
  Grid grids_[2];
  std::vector<Place> places_;
};

}  // namespace gi
