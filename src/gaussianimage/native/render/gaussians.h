// The types that rendering works on: Gaussians as they come in, as the kernels need them, and the
// places where they touch the picture.
#pragma once

#include <cstddef>
#include <cstdint>

#include "render/cell_layout.h"

namespace gi {

// Gaussians as the engine takes them: means (n, 2); Cholesky factors (n, 3), the entries l11, l21
// and l22 of L in the covariance L Lᵀ; colors (n, channels). Lengths are in pixels; the center of
// the first pixel is at (1/2, 1/2).
struct Source {
  const double* means;
  const double* cholesky;
  const float* colors;
  int count;
  int channels;
  double q_max;
};

// The sides of a picture that the engine draws, in pixels.
constexpr int max_window_side = 1 << 24;

// The region of the plane that is drawn: pixel (0, 0) is the plane's pixel (left, top).
struct Window {
  double left;
  double top;
  int height;
  int width;
};

// A rectangle of a window's pixels.
struct Part {
  int top, left, height, width;
};

// The unit of work is the time that a row of 8 pixels takes. It is about the same for every
// arrangement of Gaussians. docs/format.md defines the work for other implementers.
constexpr uint64_t work_per_gaussian = 64;  // decoding and preparing one, drawn or not
constexpr uint64_t work_per_strip = 16;     // listing one in a strip, besides its rows there

// Whether a Gaussian can be drawn; its mean is (x, y) pixels from the window's corner. A NaN fails
// the comparisons. The bounds keep every later quantity finite in float; a Gaussian outside of them
// is invisible or constant over any picture. Always inlined, because several instruction sets
// compile it.
__attribute__((always_inline)) inline bool is_drawable(double x, double y, const double* cholesky,
                                                       const float* color, int channels) {
  float total = 0;
  for (int k = 0; k < channels; ++k) total += __builtin_fabsf(color[k]);
  return __builtin_fabs(x) < 1e12 && __builtin_fabs(y) < 1e12 && cholesky[0] > 1e-6 &&
         cholesky[0] < 1e12 && cholesky[2] > 1e-6 && cholesky[2] < 1e12 &&
         __builtin_fabs(cholesky[1]) < 1e12 && total < 1e30f;
}

// A Gaussian as the row loops need it, in one cache line. With d = p - mean and u = dy + s dx,
//     q(p) = dx² / (2 l11²) + u² / (2 l22²),    s = -l21 / l11:
// q is a sum of two squares, so nothing cancels however thin the ellipse is.
struct alignas(64) PreparedGaussian {
  float x2, u2;      // -log2(e) / (2 l11²), -log2(e) / (2 l22²): the weight is 2^(x2 dx² + u2 u²)
  float s;           // shear
  float e1, e2, e4;  // exp(-c), exp(-2c), exp(-4c) for c = 1 / l22²: factors of the recurrence
  int32_t run;       // row pairs between two exact exponentials; 0: an exponential in every row
  float colors[max_channels];  // 0 beyond the last channel
};

// A Gaussian as the row loops in 16 bits need it; see fixed_point.h.
struct alignas(64) PreparedGaussian16 {
  float x2, u2, s, e1, e2, e4;
  int16_t colors[max_channels];  // in steps
  // The ratio of the second row's weight to the first row's, in each of the 8 columns relative to
  // the first column: 1, d, …, d^7. All are 0 where they would leave the range of a float.
  float powers[cell_width];
};

// The strips and rows that a Gaussian can touch. render/cell_lists-isa.cpp relies on the order of
// the fields.
struct alignas(64) Footprint {
  double x, y, s;          // mean, in the window's pixels; shear
  int32_t strip0, strip1;  // strips [strip0, strip1) that it may touch; empty when not drawable
  float t, k21, k22;       // 1 / (k l11), k l21, k l22; k = √(2 q_max): it spans |t dx| <= 1
  float rho;               // l21 / hypot(l21, l22): where the ellipse is highest
  int32_t longest;         // the most row pairs that a span may have
  int32_t rows;            // the most rows that it may touch in one strip
  int32_t shares;          // a span's `up`, and its `down` 8 bits above
};

// A Gaussian in the row pairs [pair0, pair1) of a cell, which are no more than its run.
struct CellSpan {
  uint32_t gaussian;
  uint8_t pair0;
  uint8_t pair1;
  uint8_t up, down;  // bounds of its largest and its smallest color; see fixed_point.h
  float dx, u;       // at the first pixel of the first row
};

// Where the chain of a span begins: the weights of its first row pair, and their ratios to those of
// the pair after it.
struct alignas(64) ChainStart {
  float w[2 * cell_width], r[2 * cell_width];
};

// The most row pairs from one exact exponential to the next. Rounding errors grow with the square
// of this length: after 14 pairs they reach 9e-6 of a weight that hardly changes from row to row.
// After 28 they are four times as large, which is small enough for pixels of 8 bits.
constexpr int max_run = 14;
constexpr int max_run16 = 28;

// The spans of a cell, sorted by their number of row pairs: list n has the spans of n row pairs,
// the last list all longer ones. Each list is in the order of the Gaussians. All spans of a list
// have the same number of row pairs, so the branch at the end of the loop over them is predictable.
struct CellLists {
  static constexpr int lists = max_run16 + 2;  // list 0 is written to and never read
  CellSpan* begin[lists];
  CellSpan* end[lists];
  size_t count;  // spans in all lists together
  size_t room;   // spans that fit in each list
};

// The sums over a cell that the gradient consists of, with weight w, residual R, g = w Σ_k c_k R_k
// and the whitened coordinates z = L⁻¹ d:
//     Σ g z1, Σ g z2, Σ g z1², Σ g z1 z2, Σ g z2², Σ w R_k.
// They are the negative derivatives of ½ Σ R² with respect to whitened changes of q. fit/adam.cpp
// and render/render.cpp turn them into derivatives of the parameters.
struct Moments {
  float g1, g2, g11, g12, g22;
  float color[max_channels];
};

}  // namespace gi
