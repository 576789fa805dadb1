// Lists the rows of a strip that Gaussians touch, as spans of the strip's cells. Compiled once for
// every instruction set.

#include <algorithm>
#include <cstddef>
#include <cstring>

#include "render/gaussians.h"
#include "simd/kernel_parts-isa.h"
#include "simd/vector-isa.h"

namespace gi::GI_ISA {
namespace {

// An explicit vector type, because compilers do not vectorize loops over 8 doubles.
typedef double Four __attribute__((vector_size(32)));

// Rounds eight doubles to floats.
GI_INLINE Half to_floats(const Four* eight) {
#if GI_NATIVE_LANES >= 8
  const __m128 low = _mm256_cvtpd_ps((__m256d)eight[0]);
  return {{(Half::Float)_mm256_set_m128(_mm256_cvtpd_ps((__m256d)eight[1]), low)}};
#else
  float floats[8];
  for (int i = 0; i < 8; ++i) floats[i] = static_cast<float>(eight[i / 4][i % 4]);
  return Half::load(floats);
#endif
}

// 8 Gaussians of a strip, field by field.
struct alignas(64) Eight {
  Four x[2], y[2], s[2];
  float t[8], k21[8], k22[8], rho[8];
  int32_t longest[8], shares[8];
};

#if GI_NATIVE_LANES >= 8

// Transposes the first halves of 4 footprints to the half `part` of the first three fields.
GI_INLINE void transpose_doubles(const Footprint* const* footprints, int part, Eight& eight) {
  const auto row = [&](int j) {
    return _mm256_load_pd(reinterpret_cast<const double*>(footprints[4 * part + j]));
  };
  const __m256d even01 = _mm256_unpacklo_pd(row(0), row(1));
  const __m256d even23 = _mm256_unpacklo_pd(row(2), row(3));
  const __m256d odd01 = _mm256_unpackhi_pd(row(0), row(1));
  const __m256d odd23 = _mm256_unpackhi_pd(row(2), row(3));
  eight.x[part] = (Four)_mm256_permute2f128_pd(even01, even23, 0x20);
  eight.y[part] = (Four)_mm256_permute2f128_pd(odd01, odd23, 0x20);
  eight.s[part] = (Four)_mm256_permute2f128_pd(even01, even23, 0x31);
}

// The fields of 4 footprints' second halves; a vector holds the fields j and j + 4.
struct Quarter {
  __m256 fields[4];
};

GI_INLINE Quarter transpose_floats(const Footprint* const* footprints) {
  const auto row = [&](int j) { return _mm256_load_ps(&footprints[j]->t); };
  const __m256d low01 = _mm256_castps_pd(_mm256_unpacklo_ps(row(0), row(1)));
  const __m256d low23 = _mm256_castps_pd(_mm256_unpacklo_ps(row(2), row(3)));
  const __m256d high01 = _mm256_castps_pd(_mm256_unpackhi_ps(row(0), row(1)));
  const __m256d high23 = _mm256_castps_pd(_mm256_unpackhi_ps(row(2), row(3)));
  return {{_mm256_castpd_ps(_mm256_unpacklo_pd(low01, low23)),
           _mm256_castpd_ps(_mm256_unpackhi_pd(low01, low23)),
           _mm256_castpd_ps(_mm256_unpacklo_pd(high01, high23)),
           _mm256_castpd_ps(_mm256_unpackhi_pd(high01, high23))}};
}

GI_INLINE void gather(const Footprint* const* footprints, Eight& eight) {
  static_assert(offsetof(Footprint, s) == 16 && offsetof(Footprint, t) == 32 &&
                offsetof(Footprint, rho) == 44 && offsetof(Footprint, longest) == 48 &&
                offsetof(Footprint, shares) == 56);
  transpose_doubles(footprints, 0, eight);
  transpose_doubles(footprints, 1, eight);
  const Quarter first = transpose_floats(footprints), second = transpose_floats(footprints + 4);
  float* const fields[] = {eight.t, eight.k21, eight.k22, eight.rho};
  for (int i = 0; i < 4; ++i) {
    _mm256_store_ps(fields[i], _mm256_permute2f128_ps(first.fields[i], second.fields[i], 0x20));
  }
  const auto store = [&](int field, int32_t* to) {
    const __m256 eight = _mm256_permute2f128_ps(first.fields[field], second.fields[field], 0x31);
    _mm256_store_si256(reinterpret_cast<__m256i*>(to), _mm256_castps_si256(eight));
  };
  store(0, eight.longest);
  store(2, eight.shares);
}

#else

GI_INLINE void gather(const Footprint* const* footprints, Eight& eight) {
  for (int i = 0; i < 8; ++i) {
    const Footprint& footprint = *footprints[i];
    eight.x[i / 4][i % 4] = footprint.x;
    eight.y[i / 4][i % 4] = footprint.y;
    eight.s[i / 4][i % 4] = footprint.s;
    eight.t[i] = footprint.t;
    eight.k21[i] = footprint.k21;
    eight.k22[i] = footprint.k22;
    eight.rho[i] = footprint.rho;
    eight.longest[i] = footprint.longest;
    eight.shares[i] = footprint.shares;
  }
}

#endif

// The rows of 8 Gaussians in the strip.
struct alignas(32) RowRanges {
  int32_t pair0[8], pair1[8];  // row pairs that each may touch; none if pair0 >= pair1
  float dx[8], u[8];           // at the first pixel of the first row pair
};

// In whitened coordinates the ellipse is a disk of radius k, so at t = dx / (k l11) it covers
// dy in k (l21 t ± l22 √(1 - t²)). Over the columns of a strip the upper branch is highest at the
// t nearest to rho, the lower branch lowest at the t nearest to -rho.
GI_INLINE void find_row_ranges(const Eight& g, const Window& window, int strip, RowRanges& ranges) {
  const Half one = Half::splat(1.0f), zero = Half::splat(0.0f);
  // In double, because these are small differences of possibly large numbers.
  const double x = strip * double{cell_width} + 0.5;
  Four dx[2], u[2];
  for (int part = 0; part < 2; ++part) {
    dx[part] = x - g.x[part];
    u[part] = (0.5 - g.y[part]) + g.s[part] * dx[part];
  }
  const Half left = to_floats(dx), t_per_pixel = Half::load(g.t);
  const Half k21 = Half::load(g.k21), k22 = Half::load(g.k22), rho = Half::load(g.rho);
  const Half t0 = max(min(left * t_per_pixel, one), zero - one);
  const Half t1 = max(min((left + Half::splat(7.0f)) * t_per_pixel, one), zero - one);
  const Half top = min(max(zero - rho, t0), t1);
  const Half bottom = min(max(rho, t0), t1);
  // Rows have a small margin; the row loops test every pixel.
  const Half at = to_floats(g.y);
  const Half size = max(at, zero - at) + max(k21, zero - k21) + k22;
  const Half slack = size * Half::splat(1e-6f) + Half::splat(2e-3f);
  const Half y0 =
      (at + Half::splat(0.499f) - slack) + (k21 * top - k22 * sqrt(max(one - top * top, zero)));
  const Half y1 = (at + Half::splat(1.5f) + slack) +
                  (k21 * bottom + k22 * sqrt(max(one - bottom * bottom, zero)));
  const Half half = Half::splat(0.5f), rows = Half::splat(static_cast<float>(window.height));
  store_integers(min(max(y0, zero), rows) * half, ranges.pair0);
  store_integers(min(max(y1, zero), rows + one) * half, ranges.pair1);
  for (int part = 0; part < 2; ++part) {
    typedef int32_t Integers __attribute__((vector_size(16)));
    Integers pairs;
    std::memcpy(&pairs, ranges.pair0 + 4 * part, sizeof pairs);
    u[part] += 2.0 * __builtin_convertvector(pairs, Four);
  }
  left.store(ranges.dx);
  to_floats(u).store(ranges.u);
}

// The most spans of a Gaussian in a cell: runs have at least 2 row pairs. One more span is written
// and not counted.
constexpr size_t max_spans = cell_pairs / 2 + 2;

// Appends the spans of a Gaussian in row pairs [pair, end); `u` is that of the first. Each run of
// the chain is a span of its own, so that the exponentials of all runs are computed side by side in
// one place.
void append(uint32_t gaussian, int pair, int end, int longest, int32_t shares, float dx, float u,
            CellLists* cells, int bands) {
  while (pair < end) {
    const int band = std::min(pair / cell_pairs, bands - 1), top = band * cell_pairs;
    const int next = std::min(std::min(pair + longest, top + cell_pairs), end);
    CellLists& list = cells[band];
    *list.end[std::min(next - pair, CellLists::lists - 1)]++ = {gaussian,
                                                                static_cast<uint8_t>(pair - top),
                                                                static_cast<uint8_t>(next - top),
                                                                static_cast<uint8_t>(shares),
                                                                static_cast<uint8_t>(shares >> 8),
                                                                dx,
                                                                u};
    ++list.count;
    u += static_cast<float>(2 * (next - pair));
    pair = next;
  }
}

// The spans of 8 Gaussians. Most Gaussians have at most two spans in the strip, in the same cell:
// two are always written, because a branch on their number would be unpredictable.
struct alignas(32) EightSpans {
  CellSpan first[8], second[8];
  int32_t band[8];
  int32_t lists[2][8];  // the lists of the first and the second span; 0: there is no such span
  int32_t simple[8];    // 0: the Gaussian has more spans, or spans in several cells
};

#if GI_NATIVE_LANES >= 8

static_assert(sizeof(CellSpan) == 16 && offsetof(CellSpan, pair0) == 4 &&
              offsetof(CellSpan, pair1) == 5 && offsetof(CellSpan, up) == 6 &&
              offsetof(CellSpan, down) == 7 && offsetof(CellSpan, dx) == 8 &&
              offsetof(CellSpan, u) == 12);

typedef int32_t Int8 __attribute__((vector_size(32)));

// Stores 8 spans from vectors of their fields.
GI_INLINE void store_spans(__m256i gaussians, Int8 pair0, Int8 pair1, Int8 shares, __m256 dx,
                           __m256 u, CellSpan* spans) {
  const __m256i pairs = (__m256i)((pair0 & 255) | (pair1 & 255) << 8 | shares << 16);
  const __m256i gaussian_low = _mm256_unpacklo_epi32(gaussians, pairs);
  const __m256i gaussian_high = _mm256_unpackhi_epi32(gaussians, pairs);
  const __m256i place_low = _mm256_castps_si256(_mm256_unpacklo_ps(dx, u));
  const __m256i place_high = _mm256_castps_si256(_mm256_unpackhi_ps(dx, u));
  const __m256i both[] = {_mm256_unpacklo_epi64(gaussian_low, place_low),
                          _mm256_unpackhi_epi64(gaussian_low, place_low),
                          _mm256_unpacklo_epi64(gaussian_high, place_high),
                          _mm256_unpackhi_epi64(gaussian_high, place_high)};
  for (int i = 0; i < 4; ++i) {
    _mm_store_si128(reinterpret_cast<__m128i*>(spans + i), _mm256_castsi256_si128(both[i]));
    _mm_store_si128(reinterpret_cast<__m128i*>(spans + i + 4),
                    _mm256_extracti128_si256(both[i], 1));
  }
}

GI_INLINE Int8 lane_min(Int8 a, Int8 b) { return (Int8)_mm256_min_epi32((__m256i)a, (__m256i)b); }
GI_INLINE Int8 lane_max(Int8 a, Int8 b) { return (Int8)_mm256_max_epi32((__m256i)a, (__m256i)b); }

GI_INLINE void make_spans(const uint32_t* gaussians, const Eight& g, const RowRanges& ranges,
                          int bands, EightSpans& out) {
  const auto load = [](const int32_t* p) {
    return (Int8)_mm256_load_si256(reinterpret_cast<const __m256i*>(p));
  };
  const auto store = [](Int8 a, int32_t* p) {
    _mm256_store_si256(reinterpret_cast<__m256i*>(p), (__m256i)a);
  };
  const Int8 pair = load(ranges.pair0), end = load(ranges.pair1), longest = load(g.longest);
  const Int8 shares = load(g.shares);
  const Int8 band = lane_min(pair / cell_pairs, Int8{} + (bands - 1)), top = band * cell_pairs;
  const Int8 middle = lane_min(pair + longest, end), next = lane_min(middle + longest, end);
  store(band, out.band);
  const auto list_number = [](Int8 length) {
    return lane_max(lane_min(length, Int8{} + (CellLists::lists - 1)), Int8{});
  };
  store(list_number(middle - pair), out.lists[0]);
  store(list_number(next - middle), out.lists[1]);
  store((next == end) & (end <= top + cell_pairs), out.simple);
  const __m256i gaussian = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(gaussians));
  const __m256 dx = _mm256_load_ps(ranges.dx), u = _mm256_load_ps(ranges.u);
  const __m256 further = _mm256_cvtepi32_ps((__m256i)(2 * (middle - pair)));
  store_spans(gaussian, pair - top, middle - top, shares, dx, u, out.first);
  store_spans(gaussian, middle - top, next - top, shares, dx, _mm256_add_ps(u, further),
              out.second);
}

#else

GI_INLINE void make_spans(const uint32_t* gaussians, const Eight& g, const RowRanges& ranges,
                          int bands, EightSpans& out) {
  for (int i = 0; i < 8; ++i) {
    const int pair = ranges.pair0[i], end = ranges.pair1[i], longest = g.longest[i];
    const int band = std::min(pair / cell_pairs, bands - 1), top = band * cell_pairs;
    const int middle = std::min(pair + longest, end), next = std::min(middle + longest, end);
    const auto at = [top](int row) { return static_cast<uint8_t>(row - top); };
    const float dx = ranges.dx[i], u = ranges.u[i];
    out.band[i] = band;
    out.lists[0][i] = std::clamp(middle - pair, 0, CellLists::lists - 1);
    out.lists[1][i] = std::clamp(next - middle, 0, CellLists::lists - 1);
    out.simple[i] = next == end && end <= top + cell_pairs;
    const auto up = static_cast<uint8_t>(g.shares[i]),
               down = static_cast<uint8_t>(g.shares[i] >> 8);
    out.first[i] = {gaussians[i], at(pair), at(middle), up, down, dx, u};
    out.second[i] = {gaussians[i],
                     at(middle),
                     at(next),
                     up,
                     down,
                     dx,
                     u + static_cast<float>(2 * (middle - pair))};
  }
}

#endif

// Up to 8 Gaussians of a strip on their way into the lists.
struct Batch {
  Eight eight;
  RowRanges ranges;
  EightSpans made;
  uint32_t gaussians[8];
  int count;

  // Computes the spans of the Gaussians from `begin` on.
  GI_INLINE void make(const Footprint* footprints, const uint32_t* begin, const uint32_t* end,
                      const Window& window, int strip, int bands) {
    count = static_cast<int>(std::min<ptrdiff_t>(8, end - begin));
    const Footprint* here[8];
    for (int i = 0; i < 8; ++i) {
      gaussians[i] = begin[std::min(i, count - 1)];
      here[i] = footprints + gaussians[i];
      if (end - begin >= 32) __builtin_prefetch(&footprints[begin[24 + i]]);
    }
    gather(here, eight);
    find_row_ranges(eight, window, strip, ranges);
    make_spans(gaussians, eight, ranges, bands, made);
  }

  GI_INLINE void append_to(CellLists* cells, int bands) const {
    for (int i = 0; i < count; ++i) {
      if (__builtin_expect(!made.simple[i], 0)) {
        append(gaussians[i], ranges.pair0[i], ranges.pair1[i], eight.longest[i], eight.shares[i],
               ranges.dx[i], ranges.u[i], cells, bands);
        continue;
      }
      CellLists& list = cells[made.band[i]];
      CellSpan*& first = list.end[made.lists[0][i]];
      *first = made.first[i];
      first += made.lists[0][i] > 0;
      CellSpan*& second = list.end[made.lists[1][i]];
      *second = made.second[i];
      second += made.lists[1][i] > 0;
      list.count += (made.lists[0][i] > 0) + (made.lists[1][i] > 0);
    }
  }
};

// Whether every list has room for the spans of so many Gaussians.
bool have_room(const CellLists* cells, int bands, size_t gaussians) {
  for (int band = 0; band < bands; ++band) {
    if (cells[band].count + gaussians * max_spans > cells[band].room) return false;
  }
  return true;
}

}  // namespace

const uint32_t* list_spans(const Footprint* footprints, const uint32_t* begin, const uint32_t* end,
                           const Window& window, int strip, CellLists* cells) {
  const int bands = count_bands(window.height);
  Batch batch, next;
  while (begin < end) {
    if (end - begin > 8 && have_room(cells, bands, 16)) {
      // Two batches together, because one has not enough instructions to hide their latency.
      batch.make(footprints, begin, end, window, strip, bands);
      next.make(footprints, begin + 8, end, window, strip, bands);
      batch.append_to(cells, bands);
      next.append_to(cells, bands);
      begin += 16;
      continue;
    }
    if (!have_room(cells, bands, 8)) return begin;
    batch.make(footprints, begin, end, window, strip, bands);
    batch.append_to(cells, bands);
    begin += 8;
  }
  return end;
}

}  // namespace gi::GI_ISA
