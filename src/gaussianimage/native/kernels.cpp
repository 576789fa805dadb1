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
#include <array>
#include <cmath>

#include "layer_streams.h"
#include "patch_kernels.h"
#include "vector.h"

namespace gi::GI_ISA {

std::unique_ptr<LayerStreams> make_layer_streams(const Quantizer& quantizer, int layers);
void dequantize(const Quantizer& quantizer, const Layer& layer, size_t begin, size_t end,
                double* means, double* cholesky, float* colors);

namespace {

// Lanes outside the ellipse underflow to zero and come back only after a restart; the chain must
// be restarted before such a lane can enter the ellipse. See `run_length`.
constexpr double chain_range = 78.0;
// Row pairs from one exponential to the next at most. Rounding errors grow with the square of the
// length: after 14 they may reach 9e-6 of the weight where the weight hardly changes at all.
constexpr int max_run = 14;

constexpr int cell_pairs = cell_rows / 2;

// exp(x) for x <= 0 in double, within 1e-9 of itself: our own, so that every platform has the same
// bits, and without branches or calls, so that a loop of it becomes vectors.
GI_INLINE double exp_negative(double x) {
  constexpr double magic = 6755399441055744.0;  // 1.5 * 2^52: adding it rounds to an integer
  x = std::max(x, -700.0);
  const double shifted = x * 1.4426950408889634 + magic;
  const double n = shifted - magic;
  const double r = (x - n * 0.6931471803691238) - n * 1.9082149292705877e-10;
  double p = 1.0 / 40320;
  p = p * r + 1.0 / 5040;
  p = p * r + 1.0 / 720;
  p = p * r + 1.0 / 120;
  p = p * r + 1.0 / 24;
  p = p * r + 1.0 / 6;
  p = p * r + 0.5;
  p = p * r + 1.0;
  p = p * r + 1.0;
  int64_t bits;
  std::memcpy(&bits, &shifted, sizeof bits);
  bits = static_cast<int64_t>(static_cast<uint64_t>(bits + 1023) << 52);
  double scale;
  std::memcpy(&scale, &bits, sizeof scale);
  return p * scale;
}

// Gaussians are prepared 8 at a time, each step for all of them, so that the compiler can use
// vectors.
constexpr int together = 8;

// What the steps of `prepare` hand on. Gaussians that cannot be drawn have harmless values.
struct Prepared {
  double x[together], y[together], l11[together], l21[together], l22[together];
  double inverse11[together], s[together], k21[together], k22[together], reach[together];
  double low[together], high[together], top[together], bottom[together], run[together];
  double e1[together];
};

GI_INLINE void prepare_together(Prepared& g, double q_max, double height) {
  const double k = std::sqrt(2 * q_max);
  // Row pairs that the chain may run: a lane at the edge of the range, u²/2 = chain_range l22²,
  // must not reach the ellipse, u²/2 = q_max l22², within the run.
  const double pairs = (std::sqrt(2 * chain_range) - k) * 0.5;
  constexpr double strips = 1.0 / cell_width;
  for (int i = 0; i < together; ++i) {
    g.inverse11[i] = 1 / g.l11[i];
    const double inverse22 = 1 / g.l22[i];
    g.s[i] = -g.l21[i] * g.inverse11[i];
    g.e1[i] = exp_negative(-inverse22 * inverse22);
    g.run[i] = pairs * g.l22[i];
    g.k21[i] = static_cast<float>(k * g.l21[i]);
    g.k22[i] = static_cast<float>(k * g.l22[i]);
    g.reach[i] = std::sqrt(g.k21[i] * g.k21[i] + g.k22[i] * g.k22[i]);
    g.low[i] = std::floor((g.x[i] - k * g.l11[i] - (0.5 + 1e-3)) * strips);
    g.high[i] = std::floor((g.x[i] + k * g.l11[i] - (0.5 - 1e-3)) * strips) + 1;
    g.top[i] = std::min(std::max(std::floor(g.y[i] - g.reach[i]), 0.0), height);
    g.bottom[i] = std::min(std::max(std::ceil(g.y[i] + g.reach[i]), 0.0), height);
  }
}

void prepare(const Source& source, const Window& window, int begin, int end, Atom* atoms,
             Outline* outlines) {
  constexpr double log2e = 1.4426950408889634;
  const double k = std::sqrt(2 * source.q_max), height = window.height;
  const double strips = (window.width + cell_width - 1) / cell_width;
  const size_t channels = static_cast<size_t>(source.channels);
  Prepared g;
  for (; begin < end; begin += together) {
    const int count = std::min(together, end - begin);
    bool drawable[together];
    for (int i = 0; i < together; ++i) {
      const size_t at = static_cast<size_t>(begin + std::min(i, count - 1));
      const double x = source.means[2 * at] - window.left;
      const double y = source.means[2 * at + 1] - window.top;
      const double l11 = source.cholesky[3 * at];
      const double l21 = source.cholesky[3 * at + 1];
      const double l22 = source.cholesky[3 * at + 2];
      float total = 0;
      for (size_t j = 0; j < channels; ++j) total += std::fabs(source.colors[channels * at + j]);
      // Comparisons are written so that a NaN fails them. The bounds keep every later quantity
      // finite in float; a Gaussian outside them is either invisible or constant over any picture.
      const bool ok = std::fabs(x) < 1e12 && std::fabs(y) < 1e12 && l11 > 1e-6 && l11 < 1e12 &&
                      l22 > 1e-6 && l22 < 1e12 && std::fabs(l21) < 1e12 && total < 1e30f;
      drawable[i] = ok;
      g.x[i] = ok ? x : 0;
      g.y[i] = ok ? y : 0;
      g.l11[i] = ok ? l11 : 1;
      g.l21[i] = ok ? l21 : 0;
      g.l22[i] = ok ? l22 : 1;
    }
    prepare_together(g, source.q_max, height);
    for (int i = 0; i < count; ++i) {
      Outline& outline = outlines[begin + i];
      outline.strip0 = outline.strip1 = outline.rows = 0;
      if (!drawable[i] || g.high[i] <= 0 || g.low[i] >= strips || g.y[i] + g.reach[i] + 1 < 0 ||
          g.y[i] - g.reach[i] - 1 > height) {
        continue;
      }
      const int pairs = static_cast<int>(std::min(g.run[i], double{max_run}));
      outline.x = g.x[i];
      outline.y = g.y[i];
      outline.s = g.s[i];
      outline.t = static_cast<float>(g.inverse11[i] / k);
      outline.k21 = static_cast<float>(g.k21[i]);
      outline.k22 = static_cast<float>(g.k22[i]);
      outline.rho = static_cast<float>(g.k21[i] / g.reach[i]);
      outline.strip0 = static_cast<int32_t>(std::max(g.low[i], 0.0));
      outline.strip1 = static_cast<int32_t>(std::min(g.high[i], strips));
      outline.rows = static_cast<int32_t>(g.bottom[i] - g.top[i]);
      outline.longest = pairs >= 2 ? pairs : cell_pairs;
      Atom& atom = atoms[begin + i];
      const double inverse22 = 1 / g.l22[i], e1 = g.e1[i], e2 = e1 * e1;
      atom.x2 = static_cast<float>(-0.5 * log2e * g.inverse11[i] * g.inverse11[i]);
      atom.u2 = static_cast<float>(-0.5 * log2e * inverse22 * inverse22);
      atom.s = static_cast<float>(g.s[i]);
      atom.e1 = static_cast<float>(e1);
      atom.e2 = static_cast<float>(e2);
      atom.e4 = static_cast<float>(e2 * e2);
      atom.run = pairs >= 2 ? pairs : 0;
      for (size_t j = 0; j < channels; ++j) {
        atom.colors[j] = source.colors[channels * static_cast<size_t>(begin + i) + j];
      }
    }
  }
}

constexpr float ramp_values[8] = {0, 1, 2, 3, 4, 5, 6, 7};

// 8 Gaussians of a strip, field by field.
struct Eight {
  double x[8], y[8], s[8];
  float t[8], k21[8], k22[8], rho[8];
  int32_t longest[8];

  GI_INLINE void set(int i, const Outline& outline) {
    x[i] = outline.x;
    y[i] = outline.y;
    s[i] = outline.s;
    t[i] = outline.t;
    k21[i] = outline.k21;
    k22[i] = outline.k22;
    rho[i] = outline.rho;
    longest[i] = outline.longest;
  }
};

// Where they are in the strip.
struct Spans {
  int32_t pair0[8], pair1[8];  // row pairs that they may touch; none when pair0 >= pair1
  float dx[8], u[8];           // of the first pixel of the first row pair
};

// In whitened coordinates the ellipse is a disk of radius k, so at t = dx / (k l11) it covers
// dy in k (l21 t ± l22 √(1 - t²)). Over the columns of a strip the upper branch is highest at the
// t nearest to rho, the lower branch lowest at the t nearest to -rho.
GI_INLINE void find_spans(const Eight& g, const Window& window, int strip, Spans& spans) {
  const Half one = Half::splat(1.0f), zero = Half::splat(0.0f);
  // In double: small differences of possibly large numbers.
  const double x = strip * double{cell_width} + 0.5;
  double u[8];
  float y[8];
  for (int i = 0; i < 8; ++i) {
    const double dx = x - g.x[i];
    spans.dx[i] = static_cast<float>(dx);
    u[i] = (0.5 - g.y[i]) + g.s[i] * dx;
    y[i] = static_cast<float>(g.y[i]);
  }
  const Half left = Half::load(spans.dx), t_per_pixel = Half::load(g.t);
  const Half k21 = Half::load(g.k21), k22 = Half::load(g.k22), rho = Half::load(g.rho);
  const Half t0 = max(min(left * t_per_pixel, one), zero - one);
  const Half t1 = max(min((left + Half::splat(7.0f)) * t_per_pixel, one), zero - one);
  const Half top = min(max(zero - rho, t0), t1);
  const Half bottom = min(max(rho, t0), t1);
  // Rows are found a little generously; the kernels test every pixel.
  const Half at = Half::load(y);
  const Half size = max(at, zero - at) + max(k21, zero - k21) + k22;
  const Half slack = size * Half::splat(1e-6f) + Half::splat(2e-3f);
  const Half y0 =
      (at + Half::splat(0.499f) - slack) + (k21 * top - k22 * sqrt(max(one - top * top, zero)));
  const Half y1 = (at + Half::splat(1.5f) + slack) +
                  (k21 * bottom + k22 * sqrt(max(one - bottom * bottom, zero)));
  const Half half = Half::splat(0.5f), rows = Half::splat(static_cast<float>(window.height));
  store_integers(min(max(y0, zero), rows) * half, spans.pair0);
  store_integers(min(max(y1, zero), rows + one) * half, spans.pair1);
  for (int i = 0; i < 8; ++i) spans.u[i] = static_cast<float>(u[i] + 2.0 * spans.pair0[i]);
}

// A cell's entries of one Gaussian at most: runs are not shorter than 2 row pairs. One more is
// written to and not counted.
constexpr size_t most_entries = cell_pairs / 2 + 2;

// Appends the entries of a Gaussian in row pairs [pair, end), the first of which has this u.
GI_INLINE void append(uint32_t atom, int pair, int end, int longest, float dx, float u,
                      CellList* cells, int bands) {
  // The chain's runs are entries of their own, so that the exponentials of all of them are computed
  // in one place, side by side. Most Gaussians have none, one or two in the strip, all in one cell:
  // these are written without asking which, as nobody could foretell it.
  const int band = std::min(pair / cell_pairs, bands - 1), top = band * cell_pairs;
  const int middle = std::min(pair + longest, end), next = std::min(middle + longest, end);
  if (__builtin_expect(next == end && end <= top + cell_pairs, 1)) {
    CellList& list = cells[band];
    Entry* const entries = list.entries + list.count;
    const auto at = [top](int row) { return static_cast<uint8_t>(row - top); };
    entries[0] = {atom, at(pair), at(middle), dx, u};
    const size_t some = pair < end;
    entries[some] = {atom, at(middle), at(next), dx, u + static_cast<float>(2 * (middle - pair))};
    list.count += some + (middle < next);
    return;
  }
  while (pair < end) {
    const int band = pair / cell_pairs, top = band * cell_pairs;
    const int next = std::min(std::min(pair + longest, top + cell_pairs), end);
    CellList& list = cells[band];
    list.entries[list.count++] = {atom, static_cast<uint8_t>(pair - top),
                                  static_cast<uint8_t>(next - top), dx, u};
    u += static_cast<float>(2 * (next - pair));
    pair = next;
  }
}

const uint32_t* list(const Outline* outlines, const uint32_t* begin, const uint32_t* end,
                     const Window& window, int strip, CellList* cells) {
  const int bands = (window.height + cell_rows - 1) / cell_rows;
  // The next eight are put together before the last ones are used: vectors that were just written
  // number by number are slow to read.
  Eight eights[2] = {};
  const auto gather = [=](const uint32_t* from, Eight& eight) {
    const ptrdiff_t count = std::min<ptrdiff_t>(8, end - from);
    for (int i = 0; i < count; ++i) {
      eight.set(i, outlines[from[i]]);
      if (end - from >= 16) __builtin_prefetch(&outlines[from[8 + i]]);
    }
  };
  gather(begin, eights[0]);
  Spans spans;
  for (int turn = 0; begin < end; begin += 8, turn ^= 1) {
    for (int band = 0; band < bands; ++band) {
      if (cells[band].count + 8 * most_entries > cells[band].room) return begin;
    }
    const Eight& eight = eights[turn];
    gather(begin + 8, eights[turn ^ 1]);
    find_spans(eight, window, strip, spans);
    const int count = static_cast<int>(std::min<ptrdiff_t>(8, end - begin));
    for (int i = 0; i < count; ++i) {
      append(begin[i], spans.pair0[i], spans.pair1[i], eight.longest[i], spans.dx[i], spans.u[i],
             cells, bands);
    }
  }
  return end;
}

// Where a Gaussian stands in a cell: everything that the row loops need.
struct Column {
  Wide w, r;  // weights of the first row pair, and their ratios to the pair after it
  Half dx;
  Half u;  // of the first row

  Column() = default;

  GI_INLINE Column(const Atom& atom, const Entry& entry) {
    const Half ramp = Half::load(ramp_values);
    dx = Half::splat(entry.dx) + ramp;
    u = Half::splat(entry.u) + Half::splat(atom.s) * ramp;
    const Half u2 = Half::splat(atom.u2);
    // The weight of the first row, and by what the second row's is smaller.
    const Half log_w = Half::splat(atom.x2) * dx * dx + u2 * u * u;
    const Half log_step = (u2 + u2) * (u + Half::splat(0.5f));
    const Wide both = exp2(join(log_w, log_step));
    const Half w0 = first_half(both), step = second_half(both);
    const Half r0 = step * step * Half::splat(atom.e1);
    w = join(w0, w0 * step);
    r = join(r0, r0 * Half::splat(atom.e2));
  }
};

// The weights of a row pair, without the recurrence.
GI_INLINE Wide exact(const Atom& atom, Half dx, Half u) {
  const Half qx = Half::splat(atom.x2) * dx * dx;
  const Half u2 = Half::splat(atom.u2), below = u + Half::splat(1.0f);
  return exp2(join(qx + u2 * u * u, qx + u2 * below * below));
}

// Columns are begun some entries ahead of their rows: the exponentials of several are independent
// of each other, while those of one make a long chain that its rows would have to wait for.
constexpr size_t ahead = 8;

// Calls visit(i, atom, column) for all entries, in order.
template <typename Visit>
GI_INLINE void for_columns(const Atom* atoms, const Entry* entries, size_t count, Visit&& visit) {
  Column columns[ahead];
  for (size_t begin = 0; begin < count; begin += ahead) {
    const size_t batch = std::min(ahead, count - begin);
    for (size_t i = 0; i < batch; ++i) {
      const Entry& entry = entries[begin + i];
      columns[i] = Column(atoms[entry.atom], entry);
      if (begin + i + ahead < count) __builtin_prefetch(&atoms[entries[begin + i + ahead].atom]);
    }
    for (size_t i = 0; i < batch; ++i) {
      visit(entries[begin + i], atoms[entries[begin + i].atom], columns[i], begin + i);
    }
  }
}

// Calls add(w, u) for the row pairs of an entry, with their weights, uncut, and the u of their
// first row.
template <typename Add>
GI_INLINE void for_row_pairs(const Entry& entry, const Atom& atom, const Column& column,
                             Add&& add) {
  const int pairs = entry.pair1 - entry.pair0;
  const Half two = Half::splat(2.0f);
  Half u = column.u;
  if (atom.run == 0) {
    for (int j = 0; j < pairs; ++j) {
      add(exact(atom, column.dx, u), u);
      u = u + two;
    }
    return;
  }
  const Wide e4 = Wide::splat(atom.e4);
  Wide w = column.w, r = column.r;
  for (int j = 0; j < pairs; ++j) {
    add(w, u);
    w = w * r;
    r = r * e4;
    u = u + two;
  }
}

template <int C>
void accumulate_channels(const Atom* atoms, const Entry* entries, size_t count, float weight_min,
                         float* cell) {
  const Wide least = Wide::splat(weight_min);
  const auto visit = [&](const Entry& entry, const Atom& atom, const Column& column,
                         size_t) __attribute__((always_inline)) {
    Wide color[C];
    for (int k = 0; k < C; ++k) color[k] = Wide::splat(atom.colors[k]);
    float* p = cell + ptrdiff_t{entry.pair0} * (C * 16);
    for_row_pairs(entry, atom, column, [&](Wide w, Half) __attribute__((always_inline)) {
      w = keep_at_least(w, least);
      for (int k = 0; k < C; ++k) (Wide::load(p + 16 * k) + w * color[k]).store(p + 16 * k);
      p += C * 16;
    });
  };
  for_columns(atoms, entries, count, visit);
}

template <int C>
void moments_channels(const Atom* atoms, const Entry* entries, size_t count, float weight_min,
                      const float* cell, Moments* out) {
  const Wide least = Wide::splat(weight_min);
  const auto visit = [&](const Entry& entry, const Atom& atom, const Column& column,
                         size_t i) __attribute__((always_inline)) {
    Half color[C], s[C];
    for (int k = 0; k < C; ++k) color[k] = Half::splat(atom.colors[k]);
    for (int k = 0; k < C; ++k) s[k] = Half::splat(0.0f);
    Half m0 = Half::splat(0.0f), m1 = m0, m2 = m0;
    const Half one = Half::splat(1.0f);
    const float* p = cell + ptrdiff_t{entry.pair0} * (C * 16);
    // Two rows, a above b, in one: with G = g_a + g_b the sums of g, g u and g u² grow by G,
    // G u + g_b and (G u + g_b) u + g_b (u + 1).
    for_row_pairs(entry, atom, column, [&](Wide w, Half u) __attribute__((always_inline)) {
      w = keep_at_least(w, least);
      Half g = m0, below = m0;  // both are set below
      for (int k = 0; k < C; ++k) {
        const Wide part = w * Wide::load(p + 16 * k);
        const Half b = second_half(part), both = first_half(part) + b;
        s[k] = s[k] + both;
        g = k == 0 ? color[k] * both : madd(color[k], both, g);
        below = k == 0 ? color[k] * b : madd(color[k], b, below);
      }
      const Half gu = madd(g, u, below);
      m0 = m0 + g;
      m1 = m1 + gu;
      m2 = madd(gu, u, madd(below, u + one, m2));
      p += C * 16;
    });
    const Half z1 = column.dx, m0z = m0 * z1;
    Half all[8] = {m0z, m1, m0z * z1, m1 * z1, m2};
    for (int k = 0; k < std::min(C, 3); ++k) all[5 + k] = s[k];
    for (int k = C; k < 3; ++k) all[5 + k] = m2;  // not used
    float sums[8];
    store_sums(all, sums);
    Moments& moments = out[i];
    moments.g1 = sums[0];
    moments.g2 = sums[1];
    moments.g11 = sums[2];
    moments.g12 = sums[3];
    moments.g22 = sums[4];
    for (int k = 0; k < std::min(C, 3); ++k) moments.color[k] = sums[5 + k];
    if constexpr (C > 3) moments.color[3] = sum(s[3]);
  };
  for_columns(atoms, entries, count, visit);
}

void accumulate(const Atom* atoms, const Entry* entries, size_t count, int channels,
                float weight_min, float* cell) {
  switch (channels) {
    case 1:
      return accumulate_channels<1>(atoms, entries, count, weight_min, cell);
    case 2:
      return accumulate_channels<2>(atoms, entries, count, weight_min, cell);
    case 3:
      return accumulate_channels<3>(atoms, entries, count, weight_min, cell);
    default:
      return accumulate_channels<4>(atoms, entries, count, weight_min, cell);
  }
}

void moments(const Atom* atoms, const Entry* entries, size_t count, int channels, float weight_min,
             const float* cell, Moments* out) {
  switch (channels) {
    case 1:
      return moments_channels<1>(atoms, entries, count, weight_min, cell, out);
    case 2:
      return moments_channels<2>(atoms, entries, count, weight_min, cell, out);
    case 3:
      return moments_channels<3>(atoms, entries, count, weight_min, cell, out);
    default:
      return moments_channels<4>(atoms, entries, count, weight_min, cell, out);
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

#if defined(__AVX2__)
// The same for RGB, faster: the packing instructions clamp. What is not a number becomes 0.
template <>
GI_INLINE void pack_row<3>(const float* p, uint8_t* out) {
  const Half one = Half::splat(1.0f), scale = Half::splat(255.0f), half = Half::splat(0.5f);
  __m256i color[3];
  for (int k = 0; k < 3; ++k) {
    const Half level = min(one, Half::load(p + 16 * k)) * scale + half;
    color[k] = _mm256_cvttps_epi32((__m256)level.v[0]);
  }
  const __m256i blue = _mm256_packs_epi32(color[2], color[2]);
  __m256i bytes = _mm256_packus_epi16(_mm256_packs_epi32(color[0], color[1]), blue);
  // Four pixels in each half of it: 4 reds, 4 greens, 4 blues, 4 blues.
  const __m128i order = _mm_setr_epi8(0, 4, 8, 1, 5, 9, 2, 6, 10, 3, 7, 11, 12, 12, 12, 12);
  bytes = _mm256_shuffle_epi8(bytes, _mm256_broadcastsi128_si256(order));
  bytes = _mm256_permutevar8x32_epi32(bytes, _mm256_setr_epi32(0, 1, 2, 4, 5, 6, 7, 7));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(out), _mm256_castsi256_si128(bytes));
  _mm_storel_epi64(reinterpret_cast<__m128i*>(out + 16), _mm256_extracti128_si256(bytes, 1));
}
#endif

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

template <int C>
void fill_channels(const float* color, int pairs, float* cell) {
  Wide lanes[C];
  for (int k = 0; k < C; ++k) lanes[k] = Wide::splat(color[k]);
  for (int pair = 0; pair < pairs; ++pair) {
    for (int k = 0; k < C; ++k, cell += 16) lanes[k].store(cell);
  }
}

void fill(const float* color, int channels, int rows, float* cell) {
  const int pairs = (rows + 1) / 2;
  switch (channels) {
    case 1:
      return fill_channels<1>(color, pairs, cell);
    case 2:
      return fill_channels<2>(color, pairs, cell);
    case 3:
      return fill_channels<3>(color, pairs, cell);
    default:
      return fill_channels<4>(color, pairs, cell);
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
const Kernels table{GI_NAME(GI_ISA), prepare,   list,   fill,
                    accumulate,      moments,   to_bytes, to_floats,
                    square,          make_layer_streams, dequantize, weigh, draw};

}  // namespace gi::GI_ISA
