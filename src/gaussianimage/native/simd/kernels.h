// What the kernels share with the code that schedules them.
//
// The picture is cut into cells: columns 8 pixels wide ("strips") by 256 rows ("bands"). A cell's
// floats are [row pair][channel][2 rows][8 columns], 24 kB for three channels, so a cell stays in
// the L1 cache while its Gaussians are added one after the other. Cells are independent: they are
// what threads share out, and because a cell adds its Gaussians in an order that depends on nothing
// but them, the result has the same bits for every number of threads.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

namespace gi {

constexpr int cell_width = 8;
constexpr int cell_rows = 256;
constexpr int cell_pairs = cell_rows / 2;  // of rows
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

// What drawing costs, in the time that a row of 8 pixels takes: in whatever way Gaussians are
// placed, a unit takes about as long. docs/format.md says it for other implementers.
constexpr uint64_t work_of_gaussian = 64;  // to decode and prepare it, drawn or not
constexpr uint64_t work_of_strip = 16;     // to list it in one strip, besides its rows there

// Whether a Gaussian can be drawn whose mean is (x, y) pixels from the window's corner. Comparisons
// are written so that a NaN fails them. The bounds keep every later quantity finite in float; a
// Gaussian outside them is either invisible or constant over any picture. Inlined always, for it is
// compiled for several instruction sets.
__attribute__((always_inline)) inline bool is_drawable(double x, double y, const double* cholesky,
                                                       const float* color, int channels) {
  float total = 0;
  for (int k = 0; k < channels; ++k) total += __builtin_fabsf(color[k]);
  return __builtin_fabs(x) < 1e12 && __builtin_fabs(y) < 1e12 && cholesky[0] > 1e-6 &&
         cholesky[0] < 1e12 && cholesky[2] > 1e-6 && cholesky[2] < 1e12 &&
         __builtin_fabs(cholesky[1]) < 1e12 && total < 1e30f;
}

// One Gaussian, prepared for the row loops: a cache line. With d = p - mean and u = dy + s dx,
//     q(p) = dx² / (2 l11²) + u² / (2 l22²),    s = -l21 / l11:
// the squares of two independent coordinates, so nothing cancels however thin the ellipse is.
struct alignas(64) Atom {
  float x2, u2;      // -log2(e) / (2 l11²), -log2(e) / (2 l22²): the weight is 2^(x2 dx² + u2 u²)
  float s;           // shear
  float e1, e2, e4;  // exp(-c), exp(-2c), exp(-4c) for c = 1 / l22²: factors of the recurrence
  int32_t run;       // row pairs between two exact exponentials; 0: exponential in every row
  float colors[max_channels];  // 0 beyond the last
};

// The same for sums in 16 bits; see render/fixed_point.h.
struct alignas(64) WordAtom {
  float x2, u2, s, e1, e2, e4;
  int16_t colors[max_channels];  // in steps
  // By what the ratio of the second row's weight to the first row's grows from one column to
  // the ones after it: d^0 = 1, d, …, d^7; all 0 where these would leave the range of a float.
  float powers[cell_width];
};

// Where the same Gaussian can be: what the lists are made from. render/cell_lists-isa.cpp counts on
// the order.
struct alignas(64) Outline {
  double x, y, s;          // mean, in the window's pixels; shear
  int32_t strip0, strip1;  // strips [strip0, strip1) that it may touch; empty when not drawable
  float t, k21, k22;       // 1 / (k l11), k l21, k l22; k = √(2 q_max): it spans |t dx| <= 1
  float rho;               // l21 / hypot(l21, l22): where the ellipse is highest
  int32_t longest;         // row pairs that an entry may have
  int32_t rows;            // that it may touch in one strip, at most
  int32_t shares;          // of its colors: an entry's `up`, and its `down` above that
};

// A Gaussian in row pairs [pair0, pair1) of a cell, no more of them than its run.
struct Entry {
  uint32_t atom;
  uint8_t pair0;
  uint8_t pair1;
  uint8_t up, down;  // bounds of its largest and its smallest color: see render/fixed_point.h
  float dx, u;       // of the first row's first pixel
};

// Row pairs from one exponential to the next at most. Rounding errors grow with the square of the
// length: after 14 they may reach 9e-6 of the weight where the weight hardly changes at all, and
// after 28 four times that, which is enough for pixels of 8 bits.
constexpr int max_run = 14;
constexpr int max_run_of_words = 28;

// The entries of a cell as they are listed, by their row pairs: in list n those of n row pairs, in
// the last one the longer ones, each list in the order of the Gaussians. Passes over a cell take
// them one list after the other, so that their loops over row pairs end where foretold.
struct CellLists {
  static constexpr int lists = max_run_of_words + 2;  // the first is written to and never read
  Entry* begin[lists];
  Entry* end[lists];
  size_t count;  // in all of them together
  size_t room;   // in each
};

// The sums over a cell that the gradient is made of, with weight w, residual R, g = w Σ_k c_k R_k
// and the whitened coordinates z = L⁻¹ d:
//     Σ g z1, Σ g z2, Σ g z1², Σ g z1 z2, Σ g z2², Σ w R_k.
// They are the negative derivatives of ½ Σ R² with respect to whitened motion of q; see
// fit/optimizer.cpp and render/render.cpp for what they are turned into.
struct Moments {
  float g1, g2, g11, g12, g22;
  float color[max_channels];
};

struct CellScale;
struct FixedPoint;
class LayerStreams;
struct Layer;
struct Patch;
struct Planes;
struct Quantizer;

// The kernels of one instruction set.
struct Kernels {
  const char* name;

  // Prepares Gaussians [begin, end) of `source`, for runs of `longest` row pairs at most. The first
  // of them becomes atoms[0] and outlines[0].
  void (*prepare)(const Source& source, const Window& window, int longest, int begin, int end,
                  Atom* atoms, Outline* outlines);

  // Prepares them for sums in 16 bits.
  void (*prepare_words)(const FixedPoint& fixed, const Atom* atoms, int count, WordAtom* words,
                        Outline* outlines);

  // Appends the entries of Gaussians [begin, end) in a strip to the lists of its cells, one list
  // for each band, and stops before a Gaussian for which there may not be room. Returns where.
  const uint32_t* (*list)(const Outline* outlines, const uint32_t* begin, const uint32_t* end,
                          const Window& window, int strip, CellLists* cells);

  // The first rows of a cell in one color.
  void (*fill)(const float* color, int channels, int rows, float* cell);

  // cell += Σ color · weight over the entries.
  void (*accumulate)(const Atom* atoms, const Entry* entries, size_t count, int channels,
                     float weight_min, float* cell);

  // The same in 16 bits, of a cell of so many words, and the pixels that become of it; see
  // render/fixed_point.h.
  void (*fill_words)(const CellScale& scale, int channels, int rows, int16_t* cell);
  void (*accumulate_words)(const WordAtom* atoms, const Entry* entries, size_t count, int channels,
                           const FixedPoint& fixed, const CellScale& scale, int16_t* cell);
  void (*words_to_bytes)(const int16_t* cell, const CellScale& scale, int channels, int rows,
                         int columns, uint8_t* out, ptrdiff_t stride);

  // Moments of each entry against the residual in `cell`.
  void (*moments)(const Atom* atoms, const Entry* entries, size_t count, int channels,
                  float weight_min, const float* cell, Moments* moments);

  // Cell to pixels, rows × columns of it, rounded to nearest: out[row * stride + column *
  // channels].
  void (*to_bytes)(const float* cell, int channels, int rows, int columns, uint8_t* out,
                   ptrdiff_t stride);
  void (*to_floats)(const float* cell, int channels, int rows, int columns, float* out,
                    ptrdiff_t stride);

  // Sum of squares of the first rows × columns of a cell; what lies outside is set to zero.
  double (*square)(float* cell, int channels, int rows, int columns);

  // A decoder of layers; see layer/streams.h.
  std::unique_ptr<LayerStreams> (*layer_streams)();

  // Gaussians [begin, end) of a layer in floats; see layer/layer.h.
  void (*dequantize)(const Quantizer& quantizer, const Layer& layer, size_t begin, size_t end,
                     double* means, double* cholesky, float* colors);

  // One Gaussian alone; see rdo/single_gaussian-isa.h.
  void (*weigh)(const Planes& planes, const Patch& patch, double* sums);
  void (*draw)(const Planes& planes, const Patch& patch, const float* color);
};

// The widest instruction set of this CPU, or the one that was selected.
const Kernels& kernels();

// Selects an instruction set by name ("baseline", "avx2", "avx512", or "" for the widest).
// Returns false, and changes nothing, when this build or this CPU does not have it.
bool select_kernels(const char* name);

}  // namespace gi
