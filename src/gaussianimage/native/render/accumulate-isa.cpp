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
// Where chains begin is kept in a pass that draws and then sums moments, so that the exponentials
// are computed once.
//
// An exact exponential restarts the chain every `run` row pairs, because its error grows with the
// square of its length, and for thin Gaussians it would leave the range of a float.

#include <algorithm>
#include <cstddef>
#include <type_traits>

#include "base/with_channels.h"
#include "render/gaussians.h"
#include "simd/kernel_parts-isa.h"
#include "simd/vector-isa.h"

namespace gi::GI_ISA {
namespace {

// The distances of a span's columns from the center.
GI_INLINE Half columns_from(const CellSpan& span) {
  return Half::splat(span.dx) + Half::load(column_numbers);
}

// The u of a span's columns in its first row.
GI_INLINE Half first_u(const PreparedGaussian& gaussian, const CellSpan& span) {
  return Half::splat(span.u) + Half::splat(gaussian.s) * Half::load(column_numbers);
}

// Computes the weights of a span's first row pair, and their ratios to those of the pair after it.
GI_INLINE void begin_chain(const PreparedGaussian& gaussian, const CellSpan& span, ChainStart& to) {
  const Half dx = columns_from(span), u = first_u(gaussian, span);
  const Half u2 = Half::splat(gaussian.u2);
  // The logarithm of the first row's weight, and of the second row's weight relative to it.
  const Half log_w = Half::splat(gaussian.x2) * dx * dx + u2 * u * u;
  const Half log_step = (u2 + u2) * (u + Half::splat(0.5f));
  const Wide both = exp2(join(log_w, log_step));
  const Half w0 = first_half(both), step = second_half(both);
  const Half r0 = step * step * Half::splat(gaussian.e1);
  join(w0, w0 * step).store(to.w);
  join(r0, r0 * Half::splat(gaussian.e2)).store(to.r);
}

// Returns the weights of a row pair, without the recurrence.
GI_INLINE Wide exact(const PreparedGaussian& gaussian, Half dx, Half u) {
  const Half qx = Half::splat(gaussian.x2) * dx * dx;
  const Half u2 = Half::splat(gaussian.u2), below = u + Half::splat(1.0f);
  return exp2(join(qx + u2 * u * u, qx + u2 * below * below));
}

// Chains begin some spans ahead of their rows. The exponentials of several spans are independent of
// each other, while the rows of one span would have to wait for its own.
constexpr size_t ahead = 8;

// Calls use(span, gaussian, start, i) for all spans in order. Leaves where they start in `keep`,
// unless it is null.
template <typename Use>
GI_INLINE void for_spans(const PreparedGaussian* prepared, const CellSpan* spans, size_t count,
                         ChainStart* keep, Use&& use) {
  ChainStart some[ahead];
  for (size_t begin = 0; begin < count; begin += ahead) {
    const size_t batch = std::min(ahead, count - begin);
    ChainStart* const starts = keep ? keep + begin : some;
    for (size_t i = 0; i < batch; ++i) {
      const CellSpan& span = spans[begin + i];
      begin_chain(prepared[span.gaussian], span, starts[i]);
      if (begin + i + ahead < count)
        __builtin_prefetch(&prepared[spans[begin + i + ahead].gaussian]);
    }
    for (size_t i = 0; i < batch; ++i) {
      use(spans[begin + i], prepared[spans[begin + i].gaussian], starts[i], begin + i);
    }
  }
}

// Calls add(w) for each row pair of a span with a chain, with the weights before the cut.
template <typename Add>
GI_INLINE void for_chain(const PreparedGaussian& gaussian, const ChainStart& start, int pairs,
                         Add&& add) {
  const Wide e4 = Wide::splat(gaussian.e4);
  Wide w = Wide::load(start.w), r = Wide::load(start.r);
  for (int j = 0; j < pairs; ++j) {
    add(w);
    w = w * r;
    r = r * e4;
  }
}

// The same for a span whose Gaussian is too thin for a chain.
template <typename Add>
GI_INLINE void for_exact(const PreparedGaussian& gaussian, const CellSpan& span, int pairs,
                         Add&& add) {
  const Half dx = columns_from(span), two = Half::splat(2.0f);
  Half u = first_u(gaussian, span);
  for (int j = 0; j < pairs; ++j) {
    add(exact(gaussian, dx, u), u);
    u = u + two;
  }
}

template <int C>
void accumulate_channels(const PreparedGaussian* prepared, const CellSpan* spans, size_t count,
                         float weight_min, float* cell, ChainStart* keep) {
  const Wide least = Wide::splat(weight_min);
  const auto add_span = [&](const CellSpan& span, const PreparedGaussian& gaussian,
                            const ChainStart& start, size_t) __attribute__((always_inline)) {
    Wide color[C];
    for (int k = 0; k < C; ++k) color[k] = Wide::splat(gaussian.colors[k]);
    float* p = cell + ptrdiff_t{span.pair0} * (C * 16);
    const auto add = [&](Wide w) __attribute__((always_inline)) {
      w = keep_at_least(w, least);
      for (int k = 0; k < C; ++k) (Wide::load(p + 16 * k) + w * color[k]).store(p + 16 * k);
      p += C * 16;
    };
    const int pairs = span.pair1 - span.pair0;
    if (gaussian.run == 0) {
      for_exact(gaussian, span, pairs,
                [&](Wide w, Half) __attribute__((always_inline)) { add(w); });
    } else {
      for_chain(gaussian, start, pairs, add);
    }
  };
  for_spans(prepared, spans, count, keep, add_span);
}

#if GI_NATIVE_LANES == 16
// Even rows and odd rows have sums of their own.
using Column = Wide;
GI_INLINE Column to_column(Half sums) { return join(sums, Half::splat(0.0f)); }

GI_INLINE Wide both_rows() {
  const Half columns = Half::load(column_numbers);
  return join(columns, columns);
}
GI_INLINE Wide second_row() { return join(Half::splat(0.0f), Half::splat(1.0f)); }
#else
using Column = Half;
GI_INLINE Column to_column(Half sums) { return sums; }
#endif

// The sums over a Gaussian's rows in each of 8 columns that its moments consist of: of g, g u and g
// u² with g = w Σ_k c_k R_k, and of w R_k.
template <int C>
struct ColumnSums {
  Column g, gu, guu, residual[C];
};

// Sums one row pair after the other.
template <int C>
struct RowSums {
  Half color[C], s[C], m0, m1, m2;

  GI_INLINE RowSums(const PreparedGaussian& gaussian) {
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
  GI_INLINE ColumnSums<C> sums() const {
    ColumnSums<C> sums{to_column(m0), to_column(m1), to_column(m2), {}};
    for (int k = 0; k < C; ++k) sums.residual[k] = to_column(s[k]);
    return sums;
  }
};

template <int C>
GI_INLINE ColumnSums<C> sum_chain(const PreparedGaussian& gaussian, const CellSpan& span,
                                  const ChainStart& start, int pairs, Wide least, const float* p) {
  RowSums<C> rows(gaussian);
  Half u = first_u(gaussian, span);
  for_chain(gaussian, start, pairs, [&](Wide w) __attribute__((always_inline)) {
    rows.add(keep_at_least(w, least), u, p);
    p += C * 16;
    u = u + Half::splat(2.0f);
  });
  return rows.sums();
}

// The same for the steps of a fit, where it must be fast, and where an error of 1e-5 of the largest
// possible moment does no harm.
#if GI_NATIVE_LANES == 16
// Sums by additions alone. With t = 0, 1, … counted from the last row pair up and the sums S of
// w R, the sum of S before each row pair is Σ t w R, and the sum of those is Σ t (t - 1) / 2 w R.
template <int C>
GI_INLINE ColumnSums<C> sum_chain_fast(const PreparedGaussian& gaussian, const CellSpan& span,
                                       const ChainStart& start, int pairs, Wide least,
                                       const float* p) {
  const Wide e4 = Wide::splat(gaussian.e4);
  Wide w = Wide::load(start.w), r = Wide::load(start.r);
  Wide s[C], first[C], second[C];
  const Wide top = keep_at_least(w, least);
  for (int k = 0; k < C; ++k) {
    s[k] = top * Wide::load(p + 16 * k);
    first[k] = second[k] = Wide::splat(0.0f);
  }
  for (int j = 1; j < pairs; ++j) {
    w = w * r;
    r = r * e4;
    p += C * 16;
    const Wide kept = keep_at_least(w, least);
    for (int k = 0; k < C; ++k) {
      second[k] = second[k] + first[k];
      first[k] = first[k] + s[k];
      s[k] = madd(kept, Wide::load(p + 16 * k), s[k]);
    }
  }
  Wide g = s[0], t1 = g, t2 = g;  // all are set below
  for (int k = 0; k < C; ++k) {
    const Wide color = Wide::splat(gaussian.colors[k]);
    g = k == 0 ? color * s[k] : madd(color, s[k], g);
    t1 = k == 0 ? color * first[k] : madd(color, first[k], t1);
    t2 = k == 0 ? color * second[k] : madd(color, second[k], t2);
  }
  // Σ u g and Σ u² g for u = last - 2 t.
  const Wide last = Wide::splat(span.u + static_cast<float>(2 * (pairs - 1))) +
                    madd(Wide::splat(gaussian.s), both_rows(), second_row());
  t1 = t1 + t1;
  t2 = t2 + t2;
  const Wide gu = g * last - t1, rest = (t2 + t2) + t1;
  ColumnSums<C> sums{g, gu, madd(gu - t1, last, rest + rest), {}};
  for (int k = 0; k < C; ++k) sums.residual[k] = s[k];
  return sums;
}
#else
// Vectors of 8 lanes have too few registers for sums by additions.
template <int C>
GI_INLINE ColumnSums<C> sum_chain_fast(const PreparedGaussian& gaussian, const CellSpan& span,
                                       const ChainStart& start, int pairs, Wide least,
                                       const float* p) {
  return sum_chain<C>(gaussian, span, start, pairs, least, p);
}
#endif

template <int C>
GI_INLINE ColumnSums<C> sum_exact(const PreparedGaussian& gaussian, const CellSpan& span, int pairs,
                                  Wide least, const float* p) {
  RowSums<C> rows(gaussian);
  for_exact(gaussian, span, pairs, [&](Wide w, Half u) __attribute__((always_inline)) {
    rows.add(keep_at_least(w, least), u, p);
    p += C * 16;
  });
  return rows.sums();
}

// The first eight moments lie side by side.
static_assert(offsetof(Moments, color) == 5 * sizeof(float));

#if GI_NATIVE_LANES == 16
// Returns the sums of the halves of a and of b, side by side.
GI_INLINE Wide fold_both(Wide a, Wide b) {
  const Wide::Float x = a.v[0], y = b.v[0];
  return {{__builtin_shufflevector(x, y, 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23) +
           __builtin_shufflevector(x, y, 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30,
                                   31)}};
}

// Adds four lanes to four lanes in each half of a and b.
GI_INLINE Wide fold_halves(Wide a, Wide b) {
  const Wide::Float x = a.v[0], y = b.v[0];
  return {
      {__builtin_shufflevector(x, y, 0, 1, 2, 3, 8, 9, 10, 11, 16, 17, 18, 19, 24, 25, 26, 27) +
       __builtin_shufflevector(x, y, 4, 5, 6, 7, 12, 13, 14, 15, 20, 21, 22, 23, 28, 29, 30, 31)}};
}

template <int C>
GI_INLINE void add_moments(const ColumnSums<C>& columns, const CellSpan& span, Moments& moments) {
  const Wide z1 = Wide::splat(span.dx) + both_rows(), zero = Wide::splat(0.0f);
  const Wide g = fold_both(columns.g, columns.gu), gz = g * z1, gzz = gz * z1;
  const auto residual = [&](int k) { return k < C ? columns.residual[k < C ? k : 0] : zero; };
  // g z1² beside g u.
  const Wide::Float mixed = __builtin_shufflevector(gzz.v[0], g.v[0], 0, 1, 2, 3, 4, 5, 6, 7, 24,
                                                    25, 26, 27, 28, 29, 30, 31);
  // Four sums in four lanes each: g z1, g z1 u, g z1², g u; then g u² and those of the residuals.
  const Wide::Float x = fold_halves(gz, {{mixed}}).v[0];
  const Wide::Float y =
      fold_halves(fold_both(columns.guu, residual(0)), fold_both(residual(1), residual(2))).v[0];
  const Wide::Float two =
      __builtin_shufflevector(x, y, 0, 16, 1, 17, 4, 20, 5, 21, 8, 24, 9, 25, 12, 28, 13, 29) +
      __builtin_shufflevector(x, y, 2, 18, 3, 19, 6, 22, 7, 23, 10, 26, 11, 27, 14, 30, 15, 31);
  const Wide::Float all =
      two + __builtin_shufflevector(two, two, 2, 3, 0, 1, 6, 7, 4, 5, 10, 11, 8, 9, 14, 15, 12, 13);
  float* const to = reinterpret_cast<float*>(&moments);
  const Half sums{{__builtin_shufflevector(all, all, 0, 12, 8, 4, 1, 5, 9, 13)}};
  (Half::load(to) + sums).store(to);
  if constexpr (C > 3) moments.color[3] += sum(fold(columns.residual[3]));
}
#else
template <int C>
GI_INLINE void add_moments(const ColumnSums<C>& columns, const CellSpan& span, Moments& moments) {
  const Half z1 = columns_from(span), gz = columns.g * z1;
  Half all[8] = {gz, columns.gu, gz * z1, columns.gu * z1, columns.guu};
  for (int k = 0; k < std::min(C, 3); ++k) all[5 + k] = columns.residual[k];
  for (int k = C; k < 3; ++k) all[5 + k] = Half::splat(0.0f);
  float sums[8];
  store_sums(all, sums);
  float* const to = reinterpret_cast<float*>(&moments);
  (Half::load(to) + Half::load(sums)).store(to);
  if constexpr (C > 3) moments.color[3] += sum(columns.residual[3]);
}
#endif

template <int C>
void moments_channels(const PreparedGaussian* prepared, const CellSpan* spans, size_t count,
                      float weight_min, const float* cell, const ChainStart* kept,
                      const int32_t* bases, int strip, Moments* out) {
  const Wide least = Wide::splat(weight_min);
  const auto add_span = [&](const CellSpan& span, const PreparedGaussian& gaussian,
                            const ChainStart& start, auto fast) __attribute__((always_inline)) {
    const float* const p = cell + ptrdiff_t{span.pair0} * (C * 16);
    const int pairs = span.pair1 - span.pair0;
    const ColumnSums<C> columns = gaussian.run == 0 ? sum_exact<C>(gaussian, span, pairs, least, p)
                                  : fast ? sum_chain_fast<C>(gaussian, span, start, pairs, least, p)
                                         : sum_chain<C>(gaussian, span, start, pairs, least, p);
    add_moments<C>(columns, span, out[bases[span.gaussian] + strip]);
  };
  if (!kept) {
    for_spans(
        prepared, spans, count, nullptr,
        [&](const CellSpan& span, const PreparedGaussian& gaussian, const ChainStart& start, size_t)
            __attribute__((always_inline)) { add_span(span, gaussian, start, std::false_type{}); });
    return;
  }
  for (size_t i = 0; i < count; ++i) {
    if (i + ahead < count) __builtin_prefetch(&out[bases[spans[i + ahead].gaussian] + strip], 1);
    add_span(spans[i], prepared[spans[i].gaussian], kept[i], std::true_type{});
  }
}

}  // namespace

void accumulate(const PreparedGaussian* prepared, const CellSpan* spans, size_t count, int channels,
                float weight_min, float* cell, ChainStart* keep) {
  with_channels(channels, [&](auto c) {
    accumulate_channels<c>(prepared, spans, count, weight_min, cell, keep);
  });
}

void moments(const PreparedGaussian* prepared, const CellSpan* spans, size_t count, int channels,
             float weight_min, const float* cell, const ChainStart* kept, const int32_t* bases,
             int strip, Moments* out) {
  with_channels(channels, [&](auto c) {
    moments_channels<c>(prepared, spans, count, weight_min, cell, kept, bases, strip, out);
  });
}

}  // namespace gi::GI_ISA
