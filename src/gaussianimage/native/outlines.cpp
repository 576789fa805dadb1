// Where Gaussians are: their outlines, and the rows of each strip that they touch. Compiled once
// for every instruction set.

#include <algorithm>
#include <cmath>
#include <cstddef>

#include "doubles.h"
#include "kernel_parts.h"
#include "vector.h"

namespace gi::GI_ISA {
namespace {

// Lanes outside the ellipse underflow to zero and come back only after a restart; the chain must
// be restarted before such a lane can enter the ellipse.
constexpr double chain_range = 78.0;
// Row pairs from one exponential to the next at most. Rounding errors grow with the square of the
// length: after 14 they may reach 9e-6 of the weight where the weight hardly changes at all.
constexpr int max_run = 14;

constexpr int cell_pairs = cell_rows / 2;

// exp(x) for x <= 0 in double, within 1e-9 of itself: our own, so that every platform has the same
// bits, and without branches or calls, so that a loop of it becomes vectors.
GI_INLINE double exp_negative(double x) {
  x = std::max(x, -700.0);
  const double shifted = x * 1.4426950408889634 + rounding;
  const double n = shifted - rounding;
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
  return p * power_of_shifted(shifted);
}

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

}  // namespace

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
      const double* const cholesky = source.cholesky + 3 * at;
      const bool ok = is_drawable(x, y, cholesky, source.colors + channels * at, source.channels);
      drawable[i] = ok;
      g.x[i] = ok ? x : 0;
      g.y[i] = ok ? y : 0;
      g.l11[i] = ok ? cholesky[0] : 1;
      g.l21[i] = ok ? cholesky[1] : 0;
      g.l22[i] = ok ? cholesky[2] : 1;
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

namespace {

// 8 Gaussians of a strip, field by field.
struct alignas(64) Eight {
  double x[8], y[8], s[8];
  float t[8], k21[8], k22[8], rho[8];
  int32_t longest[8];
};

#if GI_NATIVE_LANES >= 8

// The first halves of 4 outlines: doubles i … i + 3 of the first three fields.
GI_INLINE void transpose_doubles(const Outline* const* outlines, int i, Eight& eight) {
  const auto row = [&](int j) {
    return _mm256_load_pd(reinterpret_cast<const double*>(outlines[i + j]));
  };
  const __m256d even01 = _mm256_unpacklo_pd(row(0), row(1));
  const __m256d even23 = _mm256_unpacklo_pd(row(2), row(3));
  const __m256d odd01 = _mm256_unpackhi_pd(row(0), row(1));
  const __m256d odd23 = _mm256_unpackhi_pd(row(2), row(3));
  _mm256_store_pd(eight.x + i, _mm256_permute2f128_pd(even01, even23, 0x20));
  _mm256_store_pd(eight.y + i, _mm256_permute2f128_pd(odd01, odd23, 0x20));
  _mm256_store_pd(eight.s + i, _mm256_permute2f128_pd(even01, even23, 0x31));
}

// Fields of 4 outlines' second halves, two to a vector: j and j + 4.
struct Quarter {
  __m256 fields[4];
};

GI_INLINE Quarter transpose_floats(const Outline* const* outlines) {
  const auto row = [&](int j) { return _mm256_load_ps(&outlines[j]->t); };
  const __m256d low01 = _mm256_castps_pd(_mm256_unpacklo_ps(row(0), row(1)));
  const __m256d low23 = _mm256_castps_pd(_mm256_unpacklo_ps(row(2), row(3)));
  const __m256d high01 = _mm256_castps_pd(_mm256_unpackhi_ps(row(0), row(1)));
  const __m256d high23 = _mm256_castps_pd(_mm256_unpackhi_ps(row(2), row(3)));
  return {{_mm256_castpd_ps(_mm256_unpacklo_pd(low01, low23)),
           _mm256_castpd_ps(_mm256_unpackhi_pd(low01, low23)),
           _mm256_castpd_ps(_mm256_unpacklo_pd(high01, high23)),
           _mm256_castpd_ps(_mm256_unpackhi_pd(high01, high23))}};
}

GI_INLINE void gather(const Outline* const* outlines, Eight& eight) {
  static_assert(offsetof(Outline, s) == 16 && offsetof(Outline, t) == 32 &&
                offsetof(Outline, rho) == 44 && offsetof(Outline, longest) == 48);
  transpose_doubles(outlines, 0, eight);
  transpose_doubles(outlines, 4, eight);
  const Quarter first = transpose_floats(outlines), second = transpose_floats(outlines + 4);
  float* const fields[] = {eight.t, eight.k21, eight.k22, eight.rho};
  for (int i = 0; i < 4; ++i) {
    _mm256_store_ps(fields[i], _mm256_permute2f128_ps(first.fields[i], second.fields[i], 0x20));
  }
  const __m256 longest = _mm256_permute2f128_ps(first.fields[0], second.fields[0], 0x31);
  _mm256_store_si256(reinterpret_cast<__m256i*>(eight.longest), _mm256_castps_si256(longest));
}

#else

GI_INLINE void gather(const Outline* const* outlines, Eight& eight) {
  for (int i = 0; i < 8; ++i) {
    const Outline& outline = *outlines[i];
    eight.x[i] = outline.x;
    eight.y[i] = outline.y;
    eight.s[i] = outline.s;
    eight.t[i] = outline.t;
    eight.k21[i] = outline.k21;
    eight.k22[i] = outline.k22;
    eight.rho[i] = outline.rho;
    eight.longest[i] = outline.longest;
  }
}

#endif

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

}  // namespace

const uint32_t* list(const Outline* outlines, const uint32_t* begin, const uint32_t* end,
                     const Window& window, int strip, CellList* cells) {
  const int bands = (window.height + cell_rows - 1) / cell_rows;
  Eight eight;
  Spans spans;
  for (; begin < end; begin += 8) {
    for (int band = 0; band < bands; ++band) {
      if (cells[band].count + 8 * most_entries > cells[band].room) return begin;
    }
    const int count = static_cast<int>(std::min<ptrdiff_t>(8, end - begin));
    const Outline* here[8];
    for (int i = 0; i < 8; ++i) {
      here[i] = outlines + begin[std::min(i, count - 1)];
      if (end - begin >= 24) __builtin_prefetch(&outlines[begin[16 + i]]);
    }
    gather(here, eight);
    find_spans(eight, window, strip, spans);
    for (int i = 0; i < count; ++i) {
      append(begin[i], spans.pair0[i], spans.pair1[i], eight.longest[i], spans.dx[i], spans.u[i],
             cells, bands);
    }
  }
  return end;
}

}  // namespace gi::GI_ISA
