// The inner loops, compiled once for every instruction set into its own namespace.
//
// A Gaussian's weight down a column of pixels, w(y) = exp(-q(y)), obeys a recurrence: with
// r(y) = w(y + 2) / w(y), w(y + 2) = w r and r(y + 2) = r exp(-4c). So a row pair of 8 columns
// costs two multiplications for the weights, a comparison for the cut, and one multiplication and
// one addition per channel, each on 16 lanes: for RGB 10 instructions for 16 pixel-Gaussian pairs
// where vectors have 16 lanes, 20 where they have 8, beside 3 or 6 loads and stores, and no
// exponential. Two rows run side by side so that the latency of one chain hides in the other.
//
// An exact exponential restarts the chain every `run` row pairs: its error grows with the square
// of the length, and for thin Gaussians the chain would leave the range of a float.

#include "kernels.h"

#include <algorithm>
#include <cmath>

#include "layer_streams.h"
#include "patch_kernels.h"
#include "vector.h"

namespace gi::GI_ISA {

std::unique_ptr<LayerStreams> make_layer_streams(const Quantizer& quantizer, int layers);

namespace {

// Lanes outside the ellipse underflow to zero and come back only after a restart; the chain must
// be restarted before such a lane can enter the ellipse. See `run_length`.
constexpr double chain_range = 78.0;
constexpr int max_run = 16;

// exp(x) for x <= 0 in double, within 1e-11 of itself: our own, so that every
// platform has the same bits.
inline double exp_negative(double x) {
  x = std::max(x, -700.0);
  double n = std::floor(x * 1.4426950408889634 + 0.5);
  double r = (x - n * 0.6931471803691238) - n * 1.9082149292705877e-10;
  double p = 1.0 / 39916800.0;
  constexpr double inverse_factorials[] = {1.0 / 3628800, 1.0 / 362880, 1.0 / 40320, 1.0 / 5040,
                                           1.0 / 720,     1.0 / 120,    1.0 / 24,    1.0 / 6,
                                           0.5,           1.0,          1.0};
  for (double f : inverse_factorials) p = p * r + f;
  int64_t bits = (static_cast<int64_t>(n) + 1023) << 52;
  double scale;
  std::memcpy(&scale, &bits, sizeof scale);
  return p * scale;
}

// Row pairs that the chain may run: a lane at the edge of the range, c u²/2 = chain_range, must
// not reach the ellipse, c u²/2 = q_max, within the run.
inline int run_length(double c, double q_max) {
  double rows = (std::sqrt(2 * chain_range) - std::sqrt(2 * q_max)) / std::sqrt(c);
  int pairs = static_cast<int>(std::min(rows * 0.5, double{max_run}));
  return pairs >= 2 ? pairs : 0;
}

void prepare(const Source& source, const Window& window, int begin, int end, Atom* atoms) {
  const double k = std::sqrt(2 * source.q_max);
  const int strips = (window.width + cell_width - 1) / cell_width;
  for (int i = begin; i < end; ++i) {
    Atom& atom = atoms[i];
    const double x = source.means[2 * i] - window.left;
    const double y = source.means[2 * i + 1] - window.top;
    const double l11 = source.cholesky[3 * i];
    const double l21 = source.cholesky[3 * i + 1];
    const double l22 = source.cholesky[3 * i + 2];
    atom.strip0 = atom.strip1 = 0;
    const float* colors = source.colors + static_cast<size_t>(source.channels) * i;
    float total = 0;
    for (int j = 0; j < max_channels; ++j) {
      atom.colors[j] = j < source.channels ? colors[j] : 0.0f;
      total += std::fabs(atom.colors[j]);
    }
    // Comparisons are written so that a NaN fails them. The bounds keep every later quantity
    // finite in float; a Gaussian outside them is either invisible or constant over any picture.
    const bool drawable = std::fabs(x) < 1e12 && std::fabs(y) < 1e12 && l11 > 1e-6 && l11 < 1e12 &&
                          l22 > 1e-6 && l22 < 1e12 && std::fabs(l21) < 1e12 && total < 1e30f;
    if (!drawable) continue;
    const double low = std::floor((x - k * l11 - 0.5 - 1e-3) / cell_width);
    const double high = std::floor((x + k * l11 - 0.5 + 1e-3) / cell_width) + 1;
    const double reach = k * std::sqrt(l21 * l21 + l22 * l22) + 1;
    if (high <= 0 || low >= strips || y + reach < 0 || y - reach > window.height) continue;
    atom.strip0 = static_cast<int32_t>(std::max(low, 0.0));
    atom.strip1 = static_cast<int32_t>(std::min(high, double(strips)));
    atom.x = x;
    atom.y = y;
    atom.s = -l21 / l11;
    const double c = 1 / (l22 * l22);
    atom.a = static_cast<float>(0.5 / (l11 * l11));
    atom.c = static_cast<float>(c);
    const double e1 = exp_negative(-c);
    const double e2 = e1 * e1;
    atom.e1 = static_cast<float>(e1);
    atom.e2 = static_cast<float>(e2);
    atom.e4 = static_cast<float>(e2 * e2);
    atom.t = static_cast<float>(1 / (k * l11));
    atom.k21 = static_cast<float>(k * l21);
    atom.k22 = static_cast<float>(k * l22);
    atom.rho = static_cast<float>(l21 / std::sqrt(l21 * l21 + l22 * l22));
    atom.run = run_length(c, source.q_max);
  }
}

constexpr float ramp_values[16] = {0, 1, 2, 3, 4, 5, 6, 7, 0, 1, 2, 3, 4, 5, 6, 7};

// In whitened coordinates the ellipse is a disk of radius k, so at t = dx / (k l11) it covers
// dy in k (l21 t ± l22 √(1 - t²)). Over the columns of a strip the upper branch is highest at the
// t nearest to rho, the lower branch lowest at the t nearest to -rho.
void spans(const Atom& atom, const Window& window, Span* out) {
  const Half t_per_pixel = Half::splat(atom.t);
  const Half one = Half::splat(1.0f);
  const Half ramp = Half::load(ramp_values);
  const Half zero = Half::splat(0.0f);
  const Half k21 = Half::splat(atom.k21);
  const Half k22 = Half::splat(atom.k22);
  const Half width = Half::splat(cell_width);
  // Rows are found a little generously; the kernels test every pixel.
  const float y = static_cast<float>(atom.y);
  const float slack = 2e-3f + 1e-6f * (std::fabs(y) + std::fabs(atom.k21) + atom.k22);
  const float rows = static_cast<float>(window.height);
  for (int strip = atom.strip0; strip < atom.strip1; strip += 8) {
    const float first = static_cast<float>(strip * double{cell_width} + 0.5 - atom.x);
    const Half left = Half::splat(first) + ramp * width;
    const Half t0 = max(min(left * t_per_pixel, one), zero - one);
    const Half t1 = max(min((left + Half::splat(7.0f)) * t_per_pixel, one), zero - one);
    const Half top = min(max(Half::splat(-atom.rho), t0), t1);
    const Half bottom = min(max(Half::splat(atom.rho), t0), t1);
    float low[8], high[8], low2[8], high2[8];
    (k21 * top).store(low);
    (k21 * bottom).store(high);
    max(one - top * top, zero).store(low2);
    max(one - bottom * bottom, zero).store(high2);
    const int count = std::min(8, atom.strip1 - strip);
    for (int i = 0; i < count; ++i) {
      const float y0 = y + (low[i] - atom.k22 * std::sqrt(low2[i])) - 0.5f - slack;
      const float y1 = y + (high[i] + atom.k22 * std::sqrt(high2[i])) + 0.5f + slack;
      out[i].y0 = static_cast<int32_t>(std::min(std::max(y0 + 0.999f, 0.0f), rows));
      out[i].y1 = static_cast<int32_t>(std::min(std::max(y1, 0.0f), rows));
    }
    out += count;
  }
}

// Where a Gaussian stands in a cell: everything that the row loops need, and the chain's restart.
struct Column {
  Wide w, r;  // weights of the next row pair, and their ratios to the pair after it
  Half qx;    // a dx² of the 8 columns
  Half u;     // u of the next row pair's first row
  Half dx;
  float c;
  float half_c;
  float e1, e2;

  Column() = default;

  GI_INLINE Column(const Atom& atom, int x, double y) {
    // Offsets in double: they are small differences of possibly large numbers.
    const double dx0 = x + 0.5 - atom.x;
    const double u0 = (y + 0.5 - atom.y) + atom.s * dx0;
    const Half ramp = Half::load(ramp_values);
    dx = Half::splat(static_cast<float>(dx0)) + ramp;
    u = Half::splat(static_cast<float>(u0)) + Half::splat(static_cast<float>(atom.s)) * ramp;
    qx = Half::splat(atom.a) * dx * dx;
    c = atom.c;
    half_c = 0.5f * atom.c;
    e1 = atom.e1;
    e2 = atom.e2;
    restart();
  }

  GI_INLINE Half exact(Half at) const {
    return exp(Half::splat(0.0f) - (qx + Half::splat(half_c) * at * at));
  }

  GI_INLINE void restart() {
    const Half w0 = exact(u);
    const Half step = exp(Half::splat(-c) * (u + Half::splat(0.5f)));  // w(y + 1) / w(y)
    const Half r0 = step * step * Half::splat(e1);
    w = join(w0, w0 * step);
    r = join(r0, r0 * Half::splat(e2));
  }

  GI_INLINE Wide direct() const { return join(exact(u), exact(u + Half::splat(1.0f))); }

  GI_INLINE void advance(int pairs) { u = u + Half::splat(static_cast<float>(2 * pairs)); }
};

// Columns are begun some entries ahead of their rows: the exponentials of several are independent
// of each other, while those of one make a long chain that its rows would have to wait for.
constexpr size_t ahead = 8;

// Calls visit(i, atom, column) for all entries, in order.
template <typename Visit>
GI_INLINE void for_columns(const Atom* atoms, const Entry* entries, size_t count, int x, int y,
                           Visit&& visit) {
  Column columns[ahead];
  for (size_t begin = 0; begin < count; begin += ahead) {
    const size_t batch = std::min(ahead, count - begin);
    for (size_t i = 0; i < batch; ++i) {
      const Entry& entry = entries[begin + i];
      columns[i] = Column(atoms[entry.atom], x, y + 2 * entry.pair0);
    }
    for (size_t i = 0; i < batch; ++i) {
      visit(begin + i, atoms[entries[begin + i].atom], columns[i]);
    }
  }
}

template <int C>
void accumulate_channels(const Atom* atoms, const Entry* entries, size_t count, float weight_min,
                         int x, int y, float* cell) {
  const Wide least = Wide::splat(weight_min);
  const auto visit = [&](size_t i, const Atom& atom, Column& column)
                         __attribute__((always_inline)) {
                           int pair = entries[i].pair0;
                           const int end = entries[i].pair1;
                           Wide color[C];
                           for (int k = 0; k < C; ++k) color[k] = Wide::splat(atom.colors[k]);
                           float* p = cell + static_cast<ptrdiff_t>(pair) * (C * 16);
                           const auto add = [&](Wide w) __attribute__((always_inline)) {
                             w = keep_at_least(w, least);
                             for (int k = 0; k < C; ++k)
                               (Wide::load(p + 16 * k) + w * color[k]).store(p + 16 * k);
                             p += C * 16;
                           };
                           if (atom.run == 0) {
                             for (; pair < end; ++pair) {
                               add(column.direct());
                               column.advance(1);
                             }
                             return;
                           }
                           const Wide e4 = Wide::splat(atom.e4);
                           for (;;) {
                             const int length = std::min(atom.run, end - pair);
                             Wide w = column.w, r = column.r;
                             for (int j = 0; j < length; ++j) {
                               add(w);
                               w = w * r;
                               r = r * e4;
                             }
                             pair += length;
                             if (pair >= end) return;
                             column.advance(length);
                             column.restart();
                           }
                         };
  for_columns(atoms, entries, count, x, y, visit);
}

template <int C>
void moments_channels(const Atom* atoms, const Entry* entries, size_t count, float weight_min,
                      int x, int y, const float* cell, Moments* out) {
  const Wide least = Wide::splat(weight_min);
  const auto visit = [&](size_t i, const Atom& atom, Column& column)
                         __attribute__((always_inline)) {
                           int pair = entries[i].pair0;
                           const int end = entries[i].pair1;
                           Wide color[C];
                           for (int k = 0; k < C; ++k) color[k] = Wide::splat(atom.colors[k]);
                           Sum s[C];
                           Sum m0, m1, m2;
                           const float* p = cell + static_cast<ptrdiff_t>(pair) * (C * 16);
                           Wide u;
                           const auto add = [&](Wide w) __attribute__((always_inline)) {
                             w = keep_at_least(w, least);
                             Wide t = Wide::splat(0.0f);
                             for (int k = 0; k < C; ++k) {
                               const Wide residual = Wide::load(p + 16 * k);
                               s[k].add(w * residual);
                               t = k == 0 ? color[k] * residual : madd(color[k], residual, t);
                             }
                             const Wide g = w * t;
                             const Wide gu = g * u;
                             m0.add(g);
                             m1.add(gu);
                             m2.add(gu * u);
                             p += C * 16;
                           };
                           if (atom.run == 0) {
                             for (; pair < end; ++pair) {
                               u = join(column.u, column.u + Half::splat(1.0f));
                               add(column.direct());
                               column.advance(1);
                             }
                           } else {
                             const Wide e4 = Wide::splat(atom.e4);
                             const Wide two = Wide::splat(2.0f);
                             for (;;) {
                               const int length = std::min(atom.run, end - pair);
                               Wide w = column.w, r = column.r;
                               u = join(column.u, column.u + Half::splat(1.0f));
                               for (int j = 0; j < length; ++j) {
                                 add(w);
                                 w = w * r;
                                 r = r * e4;
                                 u = u + two;
                               }
                               pair += length;
                               if (pair >= end) break;
                               column.advance(length);
                               column.restart();
                             }
                           }
                           const Half z1 = column.dx;
                           const Half m0z = m0.half() * z1;
                           Moments& sums = out[i];
                           sums.g1 = sum(m0z);
                           sums.g11 = sum(m0z * z1);
                           sums.g2 = sum(m1.half());
                           sums.g12 = sum(m1.half() * z1);
                           sums.g22 = sum(m2.half());
                           for (int k = 0; k < C; ++k) sums.color[k] = sum(s[k].half());
                         };
  for_columns(atoms, entries, count, x, y, visit);
}

void accumulate(const Atom* atoms, const Entry* entries, size_t count, int channels,
                float weight_min, int x, int y, float* cell) {
  switch (channels) {
    case 1:
      return accumulate_channels<1>(atoms, entries, count, weight_min, x, y, cell);
    case 2:
      return accumulate_channels<2>(atoms, entries, count, weight_min, x, y, cell);
    case 3:
      return accumulate_channels<3>(atoms, entries, count, weight_min, x, y, cell);
    default:
      return accumulate_channels<4>(atoms, entries, count, weight_min, x, y, cell);
  }
}

void moments(const Atom* atoms, const Entry* entries, size_t count, int channels, float weight_min,
             int x, int y, const float* cell, Moments* out) {
  switch (channels) {
    case 1:
      return moments_channels<1>(atoms, entries, count, weight_min, x, y, cell, out);
    case 2:
      return moments_channels<2>(atoms, entries, count, weight_min, x, y, cell, out);
    case 3:
      return moments_channels<3>(atoms, entries, count, weight_min, x, y, cell, out);
    default:
      return moments_channels<4>(atoms, entries, count, weight_min, x, y, cell, out);
  }
}

typedef uint8_t Bytes16 __attribute__((vector_size(16)));

// 8 pixels of one row as bytes: the channels of a pixel are put together in one 32-bit lane, and
// the lanes' lower C bytes then moved together, four pixels at a time.
template <int C>
GI_INLINE void pack_row(const float* p, uint8_t* out) {
  const Half zero = Half::splat(0.0f), one = Half::splat(1.0f);
  const Half scale = Half::splat(255.0f), half = Half::splat(0.5f);
  int32_t lanes[8];
  for (int part = 0; part < Half::parts; ++part) {
    Half::Int pixel = {};
    for (int k = 0; k < C; ++k) {
      const Half level = min(max(Half::load(p + 16 * k), zero), one) * scale + half;
      pixel |= __builtin_convertvector(level.v[part], Half::Int) << (8 * k);
    }
    std::memcpy(lanes + part * Half::L, &pixel, sizeof pixel);
  }
  if constexpr (C == 4) {
    std::memcpy(out, lanes, 32);
    return;
  }
  constexpr auto from = [](int i) { return i < 4 * C ? i / C * 4 + i % C : 0; };
  for (int four = 0; four < 2; ++four) {
    Bytes16 bytes;
    std::memcpy(&bytes, lanes + 4 * four, 16);
    bytes = __builtin_shufflevector(bytes, bytes, from(0), from(1), from(2), from(3), from(4),
                                    from(5), from(6), from(7), from(8), from(9), from(10), from(11),
                                    from(12), from(13), from(14), from(15));
    std::memcpy(out + 4 * C * four, &bytes, 4 * C);
  }
}

template <int C>
void to_bytes_channels(const float* cell, int rows, int columns, uint8_t* out, ptrdiff_t stride) {
  for (int y = 0; y < rows; ++y, out += stride) {
    const float* p = cell + static_cast<ptrdiff_t>(y >> 1) * (C * 16) + (y & 1) * 8;
    if (columns == 8) {
      pack_row<C>(p, out);
    } else {
      uint8_t pixels[8 * C];
      pack_row<C>(p, pixels);
      std::memcpy(out, pixels, static_cast<size_t>(columns * C));
    }
  }
}

void to_bytes(const float* cell, int channels, int rows, int columns, uint8_t* out,
              ptrdiff_t stride) {
  switch (channels) {
    case 1:
      return to_bytes_channels<1>(cell, rows, columns, out, stride);
    case 2:
      return to_bytes_channels<2>(cell, rows, columns, out, stride);
    case 3:
      return to_bytes_channels<3>(cell, rows, columns, out, stride);
    default:
      return to_bytes_channels<4>(cell, rows, columns, out, stride);
  }
}

void to_floats(const float* cell, int channels, int rows, int columns, float* out,
               ptrdiff_t stride) {
  for (int y = 0; y < rows; ++y, out += stride) {
    const float* p = cell + static_cast<ptrdiff_t>(y >> 1) * (channels * 16) + (y & 1) * 8;
    for (int x = 0; x < columns; ++x) {
      for (int k = 0; k < channels; ++k) out[x * channels + k] = p[16 * k + x];
    }
  }
}

double square(float* cell, int channels, int rows, int columns) {
  double total = 0;
  const int pairs = (rows + 1) / 2;
  for (int pair = 0; pair < pairs; ++pair) {
    float* p = cell + static_cast<ptrdiff_t>(pair) * (channels * 16);
    if (columns < cell_width || (rows & 1 && pair == pairs - 1)) {
      for (int i = 0; i < channels * 16; ++i) {
        if ((i & 7) >= columns || 2 * pair + (i >> 3 & 1) >= rows) p[i] = 0;
      }
    }
    Half squares = Half::splat(0.0f);
    for (int k = 0; k < channels; ++k) {
      const Half first = Half::load(p + 16 * k), second = Half::load(p + 16 * k + 8);
      squares = squares + (first * first + second * second);
    }
    total += sum(squares);
  }
  return total;
}

#define GI_STRING(x) #x
#define GI_NAME(x) GI_STRING(x)

}  // namespace

extern const Kernels table;
const Kernels table{GI_NAME(GI_ISA), prepare,   spans,  accumulate,         moments,
                    to_bytes,        to_floats, square, make_layer_streams, weigh,
                    draw};

}  // namespace gi::GI_ISA
