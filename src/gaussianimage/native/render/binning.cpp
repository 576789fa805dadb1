#include "render/binning.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <iterator>

#include "base/flush_denormals.h"
#include "base/grow.h"
#include "base/pool.h"
#include "simd/dispatch.h"

namespace gi {
namespace {

// The most members of a group: pairs of a Gaussian and a strip. Ordinary pictures have a thousandth
// of it.
constexpr uint64_t max_members = uint64_t{1} << 23;

}  // namespace

void Binning::reserve(size_t gaussians) {
  prepared_.reserve(gaussians);
  footprints_.reserve(gaussians);
  places_.reserve(gaussians + 1);
  bases_.reserve(gaussians);
}

void Binning::prepare(const Source& source, const Window& window, int threads) {
  prepare(source, window, {0, 0, window.height, window.width}, false, threads);
}

void Binning::prepare(const Source& source, const Window& window, const Part& part, bool use16,
                      int threads) {
  window_ = window;
  channels_ = source.channels;
  threads_ = threads;
  bands_ = count_bands(window.height);
  first_strip_ = part.left / cell_width;
  last_strip_ = count_strips(part.left + part.width);
  first_band_ = part.top / cell_rows;
  last_band_ = count_bands(part.top + part.height);
  const bool whole = part.height == window.height && part.width == window.width;
  weight_min_ = static_cast<float>(std::exp(-source.q_max));
  fixed_ = use16 ? FixedPoint(source.q_max) : FixedPoint();
  resize_anew(footprints_, static_cast<size_t>(source.count));
  use16 = fixed_.least > 0;
  if (use16) {
    resize_anew(prepared16_, footprints_.size());
  } else {
    resize_anew(prepared_, footprints_.size());
  }

  // Within a strip, members are in the order of the Gaussians for every number of chunks.
  const int chunk_count = std::clamp(source.count / 256, 1, 8 * std::max(1, std::min(threads, 8)));
  chunks_.resize(static_cast<size_t>(chunk_count));
  const size_t strip_count = static_cast<size_t>(count_strips(window.width));
  const Kernels& k = kernels();
  parallel(chunk_count, threads, [&](int i) {
    FlushDenormals flush;
    Chunk& chunk = chunks_[static_cast<size_t>(i)];
    chunk.begin = static_cast<int>(int64_t{source.count} * i / chunk_count);
    chunk.end = static_cast<int>(int64_t{source.count} * (i + 1) / chunk_count);
    // Prepare some at a time, so that intermediate results stay in the cache.
    constexpr int some = 128;
    for (int begin = chunk.begin; begin < chunk.end; begin += some) {
      check_interrupt();
      const int count = std::min(some, chunk.end - begin);
      Footprint* const footprints = footprints_.data() + begin;
      if (use16) {
        PreparedGaussian prepared[some];
        k.prepare(source, window, max_run16, begin, begin + count, prepared, footprints);
        k.prepare16(fixed_, prepared, count, prepared16_.data() + begin, footprints);
      } else {
        k.prepare(source, window, max_run, begin, begin + count, prepared_.data() + begin,
                  footprints);
      }
    }
    chunk.change.assign(strip_count + 1, 0);
    chunk.work = chunk.part_work =
        work_per_gaussian * static_cast<uint64_t>(chunk.end - chunk.begin);
    for (int j = chunk.begin; j < chunk.end; ++j) {
      Footprint& footprint = footprints_[static_cast<size_t>(j)];
      const auto strips = [&] {
        return static_cast<uint64_t>(footprint.strip1 - footprint.strip0);
      };
      const uint64_t per_strip = work_per_strip + static_cast<uint64_t>(footprint.rows);
      chunk.work += strips() * per_strip;
      if (!whole) keep_what_touches(footprint);
      chunk.part_work += strips() * per_strip;
      ++chunk.change[static_cast<size_t>(footprint.strip0)];
      --chunk.change[static_cast<size_t>(footprint.strip1)];
    }
  });
  work_ = part_work_ = 0;
  for (const Chunk& chunk : chunks_) {
    work_ += chunk.work;
    part_work_ += chunk.part_work;
  }
  find_groups();
}

// Removes from a footprint the strips outside of the part; all strips if it lies above or below the
// part.
void Binning::keep_what_touches(Footprint& footprint) const {
  if (footprint.strip0 >= footprint.strip1) return;
  const double k21 = footprint.k21, k22 = footprint.k22;
  const double reach = std::sqrt(k21 * k21 + k22 * k22) * (1 + 1e-5) + 1;
  if (footprint.y + reach < first_band_ * cell_rows ||
      footprint.y - reach > last_band_ * cell_rows) {
    footprint.strip1 = footprint.strip0;
    return;
  }
  footprint.strip0 = std::clamp(footprint.strip0, first_strip_, last_strip_);
  footprint.strip1 = std::clamp(footprint.strip1, first_strip_, last_strip_);
}

void Binning::find_groups() {
  group_strips_.assign(1, first_strip_);
  for (Chunk& chunk : chunks_) chunk.here = 0;
  uint64_t sum = 0;
  for (int strip = first_strip_; strip < last_strip_; ++strip) {
    uint64_t here = 0;
    for (Chunk& chunk : chunks_) here += chunk.enter(strip);
    if (sum > 0 && sum + here > max_members) {
      group_strips_.push_back(strip);
      sum = 0;
    }
    sum += here;
  }
  group_strips_.push_back(last_strip_);
}

void Binning::bin(int group) {
  group_begin_ = group_strips_[static_cast<size_t>(group)];
  group_end_ = group_strips_[static_cast<size_t>(group) + 1];
  starts_.resize(static_cast<size_t>(strips()) + 1);
  for (Chunk& chunk : chunks_) {
    chunk.here = 0;
    for (int strip = first_strip_; strip < group_begin_; ++strip) chunk.enter(strip);
    chunk.members = 0;
    chunk.next.resize(static_cast<size_t>(strips()));
  }
  uint32_t at = 0;
  for (size_t i = 0; i < static_cast<size_t>(strips()); ++i) {
    starts_[i] = at;
    for (Chunk& chunk : chunks_) {
      const uint32_t count = chunk.enter(group_begin_ + static_cast<int>(i));
      chunk.next[i] = at;
      chunk.members += count;
      at += count;
    }
  }
  starts_[static_cast<size_t>(strips())] = at;
  resize_anew(members_, at);
  resize_anew(places_, gaussians() + 1);
  resize_anew(bases_, gaussians());
  places_[gaussians()] = at;
  parallel(static_cast<int>(chunks_.size()), threads_, [&](int c) {
    Chunk& chunk = chunks_[static_cast<size_t>(c)];
    uint32_t place = 0;
    for (int before = 0; before < c; ++before) {
      place += chunks_[static_cast<size_t>(before)].members;
    }
    for (int i = chunk.begin; i < chunk.end; ++i) {
      const Footprint& footprint = footprints_[static_cast<size_t>(i)];
      const int begin = std::max(footprint.strip0, group_begin_) - group_begin_;
      const int end = std::min(footprint.strip1, group_end_) - group_begin_;
      places_[static_cast<size_t>(i)] = place;
      bases_[static_cast<size_t>(i)] = static_cast<int32_t>(place) - (begin + group_begin_);
      place += static_cast<uint32_t>(std::max(end - begin, 0));
      for (int strip = begin; strip < end; ++strip) {
        members_[chunk.next[static_cast<size_t>(strip)]++] = static_cast<uint32_t>(i);
      }
    }
  });
}

const uint32_t* Binning::list_spans(int strip, const uint32_t* at, StripLists& lists) const {
  constexpr ptrdiff_t some = 16384;  // Gaussians, in well below a millisecond
  const uint32_t* const end = this->end(strip);
  for (;;) {
    check_interrupt();
    const uint32_t* const stop = at + std::min(end - at, some);
    at = kernels().list_spans(footprints_.data(), at, stop, window_, strip, lists.cells());
    if (at != stop || at == end) return at;
  }
}

Binning::Cell Binning::cell(int strip, int band) const {
  const size_t padded = static_cast<size_t>(window_.height + 1) / 2 * 2;
  Cell cell;
  cell.x = strip * cell_width;
  cell.y = band * cell_rows;
  cell.columns = std::min(cell_width, window_.width - cell.x);
  cell.rows = std::min(cell_rows, window_.height - cell.y);
  cell.offset = (static_cast<size_t>(strip) * padded + static_cast<size_t>(cell.y)) * cell_width *
                static_cast<size_t>(channels_);
  cell.band = band;
  return cell;
}

size_t Binning::picture_floats() const {
  const size_t padded = static_cast<size_t>(window_.height + 1) / 2 * 2;
  const size_t strips = static_cast<size_t>(count_strips(window_.width));
  return strips * padded * cell_width * static_cast<size_t>(channels_);
}

StripLists& StripLists::of_this_thread(int bands) {
  static thread_local StripLists lists;
  // Few cells have a thousand spans. Spans that do not fit are drawn in several passes, so the room
  // must depend only on the picture.
  const size_t count = static_cast<size_t>(bands);
  const size_t room = std::clamp<size_t>(65536 / count, 1024, 4096);
  if (lists.cells_.size() < count || lists.room_ < room) lists.allocate(count, room);
  for (size_t band = 0; band < count; ++band) lists.cells_[band].room = room;
  lists.clear(bands);
  return lists;
}

void StripLists::allocate(size_t bands, size_t room) {
  // The distance from list to list. It is not a multiple of 4 kB, because then their beginnings
  // would compete for the same cache lines.
  const size_t stride = room + 28;
  cells_.clear();
  // The memory is not initialized, so that unused pages are never touched.
  memory_.reset(new CellSpan[(bands * CellLists::lists + 1) * stride]);
  cells_.resize(bands);
  room_ = room;
  all_ = memory_.get();
  CellSpan* next = all_ + stride;
  for (CellLists& cell : cells_) {
    for (CellSpan*& begin : cell.begin) {
      begin = next;
      next += stride;
    }
  }
}

void StripLists::clear(int bands) {
  for (size_t band = 0; band < static_cast<size_t>(bands); ++band) {
    CellLists& cell = cells_[band];
    std::copy(std::begin(cell.begin), std::end(cell.begin), cell.end);
    cell.count = 0;
  }
}

const CellSpan* StripLists::all(int band) {
  const CellLists& cell = cells_[static_cast<size_t>(band)];
  CellSpan* end = all_;
  for (int n = 1; n < CellLists::lists; ++n) {
    // Lists are short: copy two spans at a time; the last copy may be one span too many.
    const auto length = cell.end[n] - cell.begin[n];
    for (ptrdiff_t i = 0; i < length; i += 2)
      std::memcpy(end + i, cell.begin[n] + i, 2 * sizeof(CellSpan));
    end += length;
  }
  return all_;
}

}  // namespace gi
