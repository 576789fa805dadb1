// Adds Gaussians to the rows of a cell, and sums moments over them: the innermost loops. Compiled
// once for every instruction set.
//
// A Gaussian's weight down a column of pixels, w(y) = exp(-q(y)), obeys a recurrence: with
// r(y) = w(y + 2) / w(y), w(y + 2) = w r and r(y + 2) = r exp(-4c). So a row pair of 8 columns
// costs two multiplications for the weights, a comparison for the cut, and a multiplication and an
// addition per channel, each on 16 lanes, and no exponential. For RGB these are 10 instructions for
// 16 pairs of a pixel and a Gaussian if vectors have 16 lanes, 20 if they have 8, besides 3 or 6
// loads and stores. Two rows run side by side, so that each chain hides the latency of the other.
//
// An exact exponential restarts the chain every `run` row pairs, because its error grows with the
// square of its length, and for thin Gaussians it would leave the range of a float.

#include <algorithm>

#include "base/with_channels.h"
#include "render/gaussians.h"
#include "simd/kernel_parts-isa.h"
#include "simd/vector-isa.h"

namespace gi::GI_ISA {
namespace {

// A Gaussian at its first row pair in a cell: the numbers that the row loops start from.
struct Column {
  Wide w, r;  // weights of the first row pair, and their ratios to the pair after it
  Half dx;
  Half u;  // at the first row

  Column() = default;

  GI_INLINE Column(const PreparedGaussian& gaussian, const CellSpan& span) {
    const Half ramp = Half::load(column_numbers);
    dx = Half::splat(span.dx) + ramp;
    u = Half::splat(span.u) + Half::splat(gaussian.s) * ramp;
    const Half u2 = Half::splat(gaussian.u2);
    // The logarithm of the first row's weight, and of the second row's weight relative to it.
    const Half log_w = Half::splat(gaussian.x2) * dx * dx + u2 * u * u;
    const Half log_step = (u2 + u2) * (u + Half::splat(0.5f));
    const Wide both = exp2(join(log_w, log_step));
    const Half w0 = first_half(both), step = second_half(both);
    const Half r0 = step * step * Half::splat(gaussian.e1);
    w = join(w0, w0 * step);
    r = join(r0, r0 * Half::splat(gaussian.e2));
  }
};

// Returns the weights of a row pair, without the recurrence.
GI_INLINE Wide exact(const PreparedGaussian& gaussian, Half dx, Half u) {
  const Half qx = Half::splat(gaussian.x2) * dx * dx;
  const Half u2 = Half::splat(gaussian.u2), below = u + Half::splat(1.0f);
  return exp2(join(qx + u2 * u * u, qx + u2 * below * below));
}

// Columns are computed some spans ahead of their rows. The exponentials of several spans are
// independent of each other, while the rows of one span would have to wait for its own.
constexpr size_t ahead = 8;

// Calls use(span, gaussian, column, i) for all spans in order.
template <typename Use>
GI_INLINE void for_columns(const PreparedGaussian* prepared, const CellSpan* spans, size_t count,
                           Use&& use) {
  Column columns[ahead];
  for (size_t begin = 0; begin < count; begin += ahead) {
    const size_t batch = std::min(ahead, count - begin);
    for (size_t i = 0; i < batch; ++i) {
      const CellSpan& span = spans[begin + i];
      columns[i] = Column(prepared[span.gaussian], span);
      if (begin + i + ahead < count)
        __builtin_prefetch(&prepared[spans[begin + i + ahead].gaussian]);
    }
    for (size_t i = 0; i < batch; ++i) {
      use(spans[begin + i], prepared[spans[begin + i].gaussian], columns[i], begin + i);
    }
  }
}

// Calls add(w, u) for each row pair of a span, with the weights before the cut and the u of the
// first row.
template <typename Add>
GI_INLINE void for_row_pairs(const CellSpan& span, const PreparedGaussian& gaussian,
                             const Column& column, Add&& add) {
  const int pairs = span.pair1 - span.pair0;
  const Half two = Half::splat(2.0f);
  Half u = column.u;
  if (gaussian.run == 0) {
    for (int j = 0; j < pairs; ++j) {
      add(exact(gaussian, column.dx, u), u);
      u = u + two;
    }
    return;
  }
  const Wide e4 = Wide::splat(gaussian.e4);
  Wide w = column.w, r = column.r;
  for (int j = 0; j < pairs; ++j) {
    add(w, u);
    w = w * r;
    r = r * e4;
    u = u + two;
  }
}

template <int C>
void accumulate_channels(const PreparedGaussian* prepared, const CellSpan* spans, size_t count,
                         float weight_min, float* cell) {
  const Wide least = Wide::splat(weight_min);
  const auto add_span = [&](const CellSpan& span, const PreparedGaussian& gaussian,
                            const Column& column, size_t) __attribute__((always_inline)) {
    Wide color[C];
    for (int k = 0; k < C; ++k) color[k] = Wide::splat(gaussian.colors[k]);
    float* p = cell + ptrdiff_t{span.pair0} * (C * 16);
    for_row_pairs(span, gaussian, column, [&](Wide w, Half) __attribute__((always_inline)) {
      w = keep_at_least(w, least);
      for (int k = 0; k < C; ++k) (Wide::load(p + 16 * k) + w * color[k]).store(p + 16 * k);
      p += C * 16;
    });
  };
  for_columns(prepared, spans, count, add_span);
}

// The sums over a Gaussian's rows in each of 8 columns that its moments consist of: of g, g u and g
// u² with g = w Σ_k c_k R_k, and of w R_k.
#if GI_NATIVE_LANES == 16
// One addition for both rows, which are summed at the end.
template <int C>
struct ColumnSums {
  Wide color[C], s[C], m0, m1, m2, u;

  GI_INLINE ColumnSums(const PreparedGaussian& gaussian, const Column& column) {
    for (int k = 0; k < C; ++k) color[k] = Wide::splat(gaussian.colors[k]);
    for (int k = 0; k < C; ++k) s[k] = Wide::splat(0.0f);
    m0 = m1 = m2 = Wide::splat(0.0f);
    u = join(column.u, column.u + Half::splat(1.0f));
  }
  // Adds a row pair of residuals p.
  GI_INLINE void add(Wide w, Half, const float* p) {
    Wide along = m0;  // Σ_k c_k R_k; it is set below
    for (int k = 0; k < C; ++k) {
      const Wide residual = Wide::load(p + 16 * k);
      s[k] = madd(w, residual, s[k]);
      along = k == 0 ? color[k] * residual : madd(color[k], residual, along);
    }
    const Wide g = w * along, gu = g * u;
    m0 = m0 + g;
    m1 = m1 + gu;
    m2 = madd(gu, u, m2);
    u = u + Wide::splat(2.0f);
  }
  GI_INLINE Half g() const { return fold(m0); }
  GI_INLINE Half gu() const { return fold(m1); }
  GI_INLINE Half guu() const { return fold(m2); }
  GI_INLINE Half residual(int k) const { return fold(s[k]); }
};
#else
// Narrower vectors would need more registers than there are, so the rows are added up at once.
template <int C>
struct ColumnSums {
  Half color[C], s[C], m0, m1, m2;

  GI_INLINE ColumnSums(const PreparedGaussian& gaussian, const Column&) {
    for (int k = 0; k < C; ++k) color[k] = Half::splat(gaussian.colors[k]);
    for (int k = 0; k < C; ++k) s[k] = Half::splat(0.0f);
    m0 = m1 = m2 = Half::splat(0.0f);
  }
  // Adds a row pair of residuals p, a above b: with G = g_a + g_b the sums of g, g u and g u² grow
  // by G, G u + g_b and (G u + g_b) u + g_b (u + 1).
  GI_INLINE void add(Wide w, Half u, const float* p) {
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
    m2 = madd(gu, u, madd(below, u + Half::splat(1.0f), m2));
  }
  GI_INLINE Half g() const { return m0; }
  GI_INLINE Half gu() const { return m1; }
  GI_INLINE Half guu() const { return m2; }
  GI_INLINE Half residual(int k) const { return s[k]; }
};
#endif

template <int C>
void moments_channels(const PreparedGaussian* prepared, const CellSpan* spans, size_t count,
                      float weight_min, const float* cell, Moments* out) {
  const Wide least = Wide::splat(weight_min);
  const auto add_span = [&](const CellSpan& span, const PreparedGaussian& gaussian,
                            const Column& column, size_t i) __attribute__((always_inline)) {
    ColumnSums<C> columns(gaussian, column);
    const float* p = cell + ptrdiff_t{span.pair0} * (C * 16);
    for_row_pairs(span, gaussian, column, [&](Wide w, Half u) __attribute__((always_inline)) {
      columns.add(keep_at_least(w, least), u, p);
      p += C * 16;
    });
    const Half z1 = column.dx, m1 = columns.gu(), m0z = columns.g() * z1;
    Half all[8] = {m0z, m1, m0z * z1, m1 * z1, columns.guu()};
    for (int k = 0; k < std::min(C, 3); ++k) all[5 + k] = columns.residual(k);
    for (int k = C; k < 3; ++k) all[5 + k] = z1;  // not used
    float sums[8];
    store_sums(all, sums);
    Moments& moments = out[i];
    moments.g1 = sums[0];
    moments.g2 = sums[1];
    moments.g11 = sums[2];
    moments.g12 = sums[3];
    moments.g22 = sums[4];
    for (int k = 0; k < std::min(C, 3); ++k) moments.color[k] = sums[5 + k];
    if constexpr (C > 3) moments.color[3] = sum(columns.residual(3));
  };
  for_columns(prepared, spans, count, add_span);
}

}  // namespace

void accumulate(const PreparedGaussian* prepared, const CellSpan* spans, size_t count, int channels,
                float weight_min, float* cell) {
  with_channels(channels,
                [&](auto c) { accumulate_channels<c>(prepared, spans, count, weight_min, cell); });
}

void moments(const PreparedGaussian* prepared, const CellSpan* spans, size_t count, int channels,
             float weight_min, const float* cell, Moments* out) {
  with_channels(channels, [&](auto c) {
    moments_channels<c>(prepared, spans, count, weight_min, cell, out);
  });
}

}  // namespace gi::GI_ISA
