#include "schedule.h"

#include <algorithm>
#include <cmath>

#include "flush.h"
#include "pool.h"

namespace gi {
namespace {

// Entries that one group may hold: 192 MB of lists. Ordinary pictures need a thousandth of it.
constexpr uint64_t max_entries = uint64_t{1} << 23;

}  // namespace

void Schedule::prepare(const Source& source, const Window& window, int threads) {
  window_ = window;
  channels_ = source.channels;
  threads_ = threads;
  strips_ = (window.width + cell_width - 1) / cell_width;
  bands_ = (window.height + cell_rows - 1) / cell_rows;
  weight_min_ = static_cast<float>(std::exp(-source.q_max));
  atoms_.resize(static_cast<size_t>(source.count));

  // Entries are ordered by Gaussian within a cell whatever the number of chunks is.
  const int chunk_count = std::clamp(source.count / 256, 1, 8 * std::max(1, std::min(threads, 8)));
  chunks_.resize(static_cast<size_t>(chunk_count));
  const Kernels& k = kernels();
  parallel(chunk_count, threads, [&](int i) {
    FlushDenormals flush;
    Chunk& chunk = chunks_[static_cast<size_t>(i)];
    chunk.begin = static_cast<int>(int64_t{source.count} * i / chunk_count);
    chunk.end = static_cast<int>(int64_t{source.count} * (i + 1) / chunk_count);
    k.prepare(source, window, chunk.begin, chunk.end, atoms_.data());
    chunk.most = chunk.work = 0;
    for (int j = chunk.begin; j < chunk.end; ++j) {
      const Atom& atom = atoms_[static_cast<size_t>(j)];
      if (atom.strip0 >= atom.strip1) continue;
      const double height = window.height;
      const double reach = std::sqrt(double{atom.k21} * atom.k21 + double{atom.k22} * atom.k22);
      const double top = std::clamp(std::floor(atom.y - reach), 0.0, height);
      const double bottom = std::clamp(std::ceil(atom.y + reach), 0.0, height);
      chunk.work +=
          static_cast<uint64_t>(atom.strip1 - atom.strip0) * static_cast<uint64_t>(bottom - top);
      chunk.most +=
          static_cast<uint64_t>(atom.strip1 - atom.strip0) * static_cast<uint64_t>(bands_);
    }
  });
  uint64_t most = 0;
  work_ = 0;
  for (const Chunk& chunk : chunks_) {
    most += chunk.most;
    work_ += chunk.work;
  }
  find_groups(most);
}

void Schedule::find_groups(uint64_t most) {
  group_strips_.assign(1, 0);
  if (most > max_entries) {
    // Entries per strip at most, from where each Gaussian's strips begin and end.
    std::vector<int64_t> change(static_cast<size_t>(strips_) + 1, 0);
    for (const Atom& atom : atoms_) {
      if (atom.strip0 >= atom.strip1) continue;
      change[static_cast<size_t>(atom.strip0)] += bands_;
      change[static_cast<size_t>(atom.strip1)] -= bands_;
    }
    int64_t here = 0;
    uint64_t sum = 0;
    for (int strip = 0; strip < strips_; ++strip) {
      here += change[static_cast<size_t>(strip)];
      if (sum > 0 && sum + static_cast<uint64_t>(here) > max_entries) {
        group_strips_.push_back(strip);
        sum = 0;
      }
      sum += static_cast<uint64_t>(here);
    }
  }
  group_strips_.push_back(strips_);
}

void Schedule::place(Chunk& chunk, int strip_begin, int strip_end) const {
  chunk.placed.clear();
  chunk.counts.assign(static_cast<size_t>(cell_count_), 0);
  const Kernels& k = kernels();
  for (int i = chunk.begin; i < chunk.end; ++i) {
    Atom atom = atoms_[static_cast<size_t>(i)];
    atom.strip0 = std::max(atom.strip0, strip_begin);
    atom.strip1 = std::min(atom.strip1, strip_end);
    if (atom.strip0 >= atom.strip1) continue;
    const size_t needed = static_cast<size_t>(atom.strip1 - atom.strip0) + 8;
    if (chunk.spans.size() < needed) chunk.spans.resize(needed);
    k.spans(atom, window_, chunk.spans.data());
    for (int strip = atom.strip0; strip < atom.strip1; ++strip) {
      const Span span = chunk.spans[static_cast<size_t>(strip - atom.strip0)];
      if (span.y0 >= span.y1) continue;
      for (int band = span.y0 / cell_rows; band * cell_rows < span.y1; ++band) {
        const int first = std::max(span.y0 - band * cell_rows, 0);
        const int last = std::min(span.y1 - band * cell_rows, cell_rows);
        const uint32_t cell = static_cast<uint32_t>((strip - strip_begin) * bands_ + band);
        chunk.placed.push_back({cell,
                                {static_cast<uint32_t>(i), static_cast<uint8_t>(first / 2),
                                 static_cast<uint8_t>((last + 1) / 2)}});
        ++chunk.counts[cell];
      }
    }
  }
  chunk.slots.resize(chunk.placed.size());
}

void Schedule::bin(int group) {
  group_begin_ = group_strips_[static_cast<size_t>(group)];
  const int group_end = group_strips_[static_cast<size_t>(group) + 1];
  cell_count_ = (group_end - group_begin_) * bands_;
  parallel(chunks(), threads_, [&](int i) {
    FlushDenormals flush;
    place(chunks_[static_cast<size_t>(i)], group_begin_, group_end);
  });
  cell_start_.resize(static_cast<size_t>(cell_count_) + 1);
  uint32_t at = 0;
  for (size_t cell = 0; cell < static_cast<size_t>(cell_count_); ++cell) {
    cell_start_[cell] = at;
    for (Chunk& chunk : chunks_) {
      const uint32_t count = chunk.counts[cell];
      chunk.counts[cell] = at;
      at += count;
    }
  }
  cell_start_[static_cast<size_t>(cell_count_)] = at;
  entries_.resize(at);
  parallel(chunks(), threads_, [&](int i) {
    Chunk& chunk = chunks_[static_cast<size_t>(i)];
    for (size_t j = 0; j < chunk.placed.size(); ++j) {
      const uint32_t slot = chunk.counts[chunk.placed[j].cell]++;
      entries_[slot] = chunk.placed[j].entry;
      chunk.slots[j] = slot;
    }
  });
}

Schedule::Cell Schedule::cell(int index) const {
  const int strip = group_begin_ + index / bands_;
  const int band = index % bands_;
  const size_t padded = static_cast<size_t>(window_.height + 1) / 2 * 2;
  Cell cell;
  cell.x = strip * cell_width;
  cell.y = band * cell_rows;
  cell.columns = std::min(cell_width, window_.width - cell.x);
  cell.rows = std::min(cell_rows, window_.height - cell.y);
  cell.offset = (static_cast<size_t>(strip) * padded + static_cast<size_t>(cell.y)) * cell_width *
                static_cast<size_t>(channels_);
  cell.begin = cell_start_[static_cast<size_t>(index)];
  cell.end = cell_start_[static_cast<size_t>(index) + 1];
  return cell;
}

size_t Schedule::picture_floats() const {
  const size_t padded = static_cast<size_t>(window_.height + 1) / 2 * 2;
  return static_cast<size_t>(strips_) * padded * cell_width * static_cast<size_t>(channels_);
}

}  // namespace gi
