// What the kernels share with the code that schedules them.
//
// The picture is cut into cells: columns 8 pixels wide ("strips") by 256 rows ("bands"). A cell's
// floats are [row pair][channel][2 rows][8 columns], 24 kB for three channels, so a cell stays in
// the L1 cache while its Gaussians are added one after the other. Cells are independent: they are
// what threads share out, and because a cell adds its Gaussians in the order of their index, the
// result has the same bits for every number of threads.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

namespace gi {

constexpr int cell_width = 8;
constexpr int cell_rows = 256;
constexpr int max_channels = 4;

constexpr size_t cell_floats(int channels) {
  return static_cast<size_t>(cell_rows) * cell_width * static_cast<size_t>(channels);
}

// Gaussians as the kernels take them: means (n, 2), Cholesky factor (n, 3) as l11, l21, l22 of the
// covariance L Lᵀ, colors (n, channels). Pixels; pixel centers at +1/2.
struct Source {
  const double* means;
  const double* cholesky;
  const float* colors;
  int count;
  int channels;
  double q_max;
};

// The part of the plane that is drawn: pixel (0, 0) is the pixel (left, top) of the plane.
struct Window {
  double left;
  double top;
  int height;
  int width;
};

// One Gaussian, prepared. With d = p - mean and u = dy + s dx,
//     q(p) = a dx² + c u² / 2,    a = 1 / (2 l11²),  s = -l21 / l11,  c = 1 / l22²:
// the squares of two independent coordinates, so nothing cancels however thin the ellipse is.
struct Atom {
  double x, y, s;          // mean, in the window's pixels; shear
  float a, c;              // see above
  float e1, e2, e4;        // exp(-c), exp(-2c), exp(-4c): factors of the recurrence down a column
  float t;                 // 1 / (k l11), k = √(2 q_max): the ellipse spans |t dx| <= 1
  float k21, k22, rho;     // k l21, k l22; l21 / hypot(l21, l22): where the ellipse is highest
  int32_t run;             // row pairs between two exact exponentials; 0: exponential in every row
  int32_t strip0, strip1;  // strips [strip0, strip1) that it may touch; empty when not drawable
  float colors[max_channels];
};

// A Gaussian in a cell: row pairs [pair0, pair1) of the cell.
struct Entry {
  uint32_t atom;
  uint8_t pair0;
  uint8_t pair1;
};

// Rows [y0, y1) that a Gaussian may touch in one strip, of the window; empty when y0 >= y1.
struct Span {
  int32_t y0, y1;
};

// The sums over a cell that the gradient is made of, with weight w, residual R, g = w Σ_k c_k R_k
// and the whitened coordinates z = L⁻¹ d:
//     Σ g z1, Σ g z2, Σ g z1², Σ g z1 z2, Σ g z2², Σ w R_k.
// They are the negative derivatives of ½ Σ R² with respect to whitened motion of q; see
// optimizer.cpp and gradient.cpp for what they are turned into.
struct Moments {
  float g1, g2, g11, g12, g22;
  float color[max_channels];
};

class LayerStreams;
struct Patch;
struct Planes;
struct Quantizer;

// The kernels of one instruction set.
struct Kernels {
  const char* name;

  // Prepares atoms [begin, end) of `source`.
  void (*prepare)(const Source& source, const Window& window, int begin, int end, Atom* atoms);

  // The spans of one atom in its strips, strip1 - strip0 of them. `spans` has room for 7 more.
  void (*spans)(const Atom& atom, const Window& window, Span* spans);

  // cell += Σ color · weight over the entries. `x`, `y`: the cell's first pixel in the window.
  void (*accumulate)(const Atom* atoms, const Entry* entries, size_t count, int channels,
                     float weight_min, int x, int y, float* cell);

  // Moments of each entry against the residual in `cell`.
  void (*moments)(const Atom* atoms, const Entry* entries, size_t count, int channels,
                  float weight_min, int x, int y, const float* cell, Moments* moments);

  // Cell to pixels, rows × columns of it, rounded to nearest: out[row * stride + column *
  // channels].
  void (*to_bytes)(const float* cell, int channels, int rows, int columns, uint8_t* out,
                   ptrdiff_t stride);
  void (*to_floats)(const float* cell, int channels, int rows, int columns, float* out,
                    ptrdiff_t stride);

  // Sum of squares of the first rows × columns of a cell; what lies outside is set to zero.
  double (*square)(float* cell, int channels, int rows, int columns);

  // Decoder of the layers of a file that has `layers` of them; see layer_streams.h.
  std::unique_ptr<LayerStreams> (*layer_streams)(const Quantizer& quantizer, int layers);

  // One Gaussian alone; see patch_kernels.h.
  void (*weigh)(const Planes& planes, const Patch& patch, double* sums);
  void (*draw)(const Planes& planes, const Patch& patch, const float* color);
};

// The widest instruction set of this CPU, or the one that was selected.
const Kernels& kernels();

// Selects an instruction set by name ("baseline", "avx2", "avx512", or "" for the widest).
// Returns false, and changes nothing, when this build or this CPU does not have it.
bool select_kernels(const char* name);

}  // namespace gi
