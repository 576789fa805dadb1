#include "file/alpha_map.h"

#include <algorithm>
#include <array>
#include <iterator>

#include "base/interrupt.h"
#include "base/pool.h"
#include "entropy/alpha_priors.h"
#include "entropy/rans-isa.h"

namespace gi {
namespace {

using GI_ISA::SmallModel;
using Decoder = GI_ISA::BasicDecoder<2>;
using Encoder = GI_ISA::BasicEncoder<2>;

constexpr int block = 8;                     // side of a block in pixels
constexpr uint8_t mixed = 3;                 // a block whose pixels have several classes
constexpr int left_margin = 2, margins = 3;  // transparent pixels around a row

struct MapModels {
  std::array<SmallModel<4>, std::size(alpha_block_priors)> blocks;
  std::array<SmallModel<3>, 2 * std::size(alpha_pixel_priors)> pixels;

  MapModels() {
    for (size_t i = 0; i < blocks.size(); ++i) blocks[i] = {alpha_block_priors[i], confidence};
    // Contexts that differ only in their last part start from the same prior.
    for (size_t i = 0; i < pixels.size(); ++i) pixels[i] = {alpha_pixel_priors[i / 2], confidence};
  }

  // Made once, because a copy is faster.
  static const MapModels& untaught() {
    static const MapModels models;
    return models;
  }

 private:
  static constexpr int confidence = 4;
};

// The row of pixels that is coded and the two rows above it, with margins.
class PixelRows {
 public:
  PixelRows(int width, std::vector<uint8_t>& pixels)
      : width_(static_cast<size_t>(width + margins)), pixels_(pixels) {
    pixels_.assign(3 * width_, transparent);
  }

  uint8_t* row() { return line(0); }
  // Returns the number of the model for the pixel at `p` in the row.
  size_t context(const uint8_t* p) const {
    const ptrdiff_t above = line(1) - line(0), second = line(2) - line(0);
    const int west = p[-1], north = p[above], northwest = p[above - 1];
    const int neighbors = 27 * west + 9 * north + 3 * northwest + p[above + 1];
    // Whether the runs to the left, above, and to the upper left continue.
    return static_cast<size_t>(8 * neighbors + 4 * (p[-2] == west) + 2 * (p[second] == north) +
                               (p[second - 1] == northwest));
  }
  void next() {
    first_ = (first_ + 2) % 3;
    std::fill_n(pixels_.begin() + static_cast<ptrdiff_t>(first_ * width_), width_, transparent);
  }

 private:
  uint8_t* line(size_t above) {
    return pixels_.data() + (first_ + above) % 3 * width_ + left_margin;
  }
  const uint8_t* line(size_t above) const {
    return pixels_.data() + (first_ + above) % 3 * width_ + left_margin;
  }

  size_t width_, first_ = 0;
  std::vector<uint8_t>& pixels_;
};

// The syntax, for writing and for reading. A decoder ignores the values of `classes` and sets them.
template <typename Coder>
void code_map(Coder& coder, MapModels& models, int height, int width, uint8_t* classes,
              AlphaMapWorkspace& workspace) {
  const int columns = (width + block - 1) / block, rows = (height + block - 1) / block;
  {
    typename Coder::Run run(coder);
    for (int y = 0; y < rows; ++y) {
      check_interrupt();
      uint8_t* const kind = workspace.kinds.data() + ptrdiff_t{y} * columns;
      for (int x = 0; x < columns; ++x) {
        const int left = x > 0 ? int{kind[x - 1]} : transparent;
        const int above = y > 0 ? int{kind[x - columns]} : transparent;
        SmallModel<4>& model = models.blocks[static_cast<size_t>(4 * left + above)];
        kind[x] = static_cast<uint8_t>(run.code(model, kind[x]));
      }
    }
  }
  PixelRows lines(width, workspace.rows);
  for (int y = 0; y < height; ++y, lines.next()) {
    // Stop at the end of the stream: what is read beyond it has no meaning.
    if constexpr (Coder::decodes) {
      if (coder.failed()) return;
    }
    check_interrupt();
    const uint8_t* const kind = workspace.kinds.data() + ptrdiff_t{y / block} * columns;
    uint8_t* const out = classes + ptrdiff_t{y} * width;
    uint8_t* const row = lines.row();
    typename Coder::Run run(coder);
    for (int x = 0; x < columns; ++x) {
      const int begin = x * block, end = std::min(begin + block, width);
      if (kind[x] != mixed) {
        std::fill(row + begin, row + end, kind[x]);
        continue;
      }
      for (int i = begin; i < end; ++i) {
        SmallModel<3>& model = models.pixels[lines.context(row + i)];
        row[i] = static_cast<uint8_t>(run.code(model, out[i]));
      }
    }
    std::copy_n(row, width, out);
  }
}

std::vector<uint8_t> classify_blocks(const uint8_t* classes, int height, int width) {
  std::vector<uint8_t> kinds;
  for (int top = 0; top < height; top += block) {
    check_interrupt();
    for (int left = 0; left < width; left += block) {
      uint8_t kind = classes[ptrdiff_t{top} * width + left];
      for (int y = top; y < std::min(top + block, height); ++y) {
        for (int x = left; x < std::min(left + block, width); ++x) {
          if (classes[ptrdiff_t{y} * width + x] != kind) kind = mixed;
        }
      }
      kinds.push_back(kind);
    }
  }
  return kinds;
}

size_t count_pixels(int height, int width) {
  return static_cast<size_t>(height) * static_cast<size_t>(width);
}

// The range of the map's pixels under a drawn pixel, along one axis: their centers are less than a
// pixel away from its center, where a pixel is the larger one of the map's pixel and the drawn
// pixel.
struct PixelReach {
  int64_t map, drawn;  // sides in pixels

  int first(int64_t i) const {
    const int64_t least = (2 * i + 1) * map - drawn - 2 * std::max(map, drawn);
    // The least j with 2 j drawn > least.
    const int64_t before =
        least < 0 ? -((-least + 2 * drawn - 1) / (2 * drawn)) : least / (2 * drawn);
    return static_cast<int>(std::max<int64_t>(before + 1, 0));
  }
  int end(int64_t i) const {
    // The least j with 2 j drawn >= most, but at most the number of pixels.
    const int64_t most = (2 * i + 1) * map - drawn + 2 * std::max(map, drawn);
    return static_cast<int>(std::min((most + 2 * drawn - 1) / (2 * drawn), map));
  }
};

// The class of a pixel for each set of classes under it. Of pixels without a class, nothing is
// known.
constexpr std::array<uint8_t, 16> make_set_classes() {
  std::array<uint8_t, 16> classes{};
  for (uint8_t& c : classes) c = as_drawn;
  for (const AlphaClass c : {transparent, opaque, between}) classes[1U << c] = c;
  return classes;
}
constexpr std::array<uint8_t, 16> set_classes = make_set_classes();

}  // namespace

std::vector<uint8_t> encode_alpha_map(const uint8_t* classes, int height, int width) {
  const size_t pixels = count_pixels(height, width);
  if (std::all_of(classes, classes + pixels, [&](uint8_t c) { return c == classes[0]; })) {
    if (classes[0] > between) throw std::out_of_range("not a class of alpha");
    return {classes[0]};
  }
  AlphaMapWorkspace workspace;
  workspace.kinds = classify_blocks(classes, height, width);
  std::vector<uint8_t> copy(classes, classes + pixels);
  MapModels models = MapModels::untaught();
  Encoder coder;
  code_map(coder, models, height, width, copy.data(), workspace);
  return coder.finish();
}

bool decode_alpha_map(const uint8_t* bytes, size_t size, int height, int width,
                      std::vector<uint8_t>& classes, AlphaMapWorkspace& workspace) {
  const size_t pixels = count_pixels(height, width);
  if (size == 1) {
    if (bytes[0] > between) return false;
    classes.assign(pixels, bytes[0]);
    return true;
  }
  Decoder coder(bytes, size);
  if (coder.failed()) return false;
  classes.resize(pixels);
  workspace.kinds.resize(count_pixels((height + block - 1) / block, (width + block - 1) / block));
  MapModels models = MapModels::untaught();
  code_map(coder, models, height, width, classes.data(), workspace);
  return coder.finished_cleanly();
}

void add_alpha_sets(const AlphaTile& tile, int height, int width, int drawn_height, int drawn_width,
                    const Part& part, int threads, uint8_t* sets, AlphaMapWorkspace& workspace) {
  const Part& place = tile.place;
  const PixelReach across{width, drawn_width}, down{height, drawn_height};
  // Which drawn pixels have a pixel of the map under them, is the same question the other way
  // round.
  const PixelReach back_across{drawn_width, width}, back_down{drawn_height, height};
  const int left = std::max(back_across.first(place.left), part.left);
  const int right = std::min(back_across.end(place.left + place.width - 1), part.left + part.width);
  const int top = std::max(back_down.first(place.top), part.top);
  const int bottom = std::min(back_down.end(place.top + place.height - 1), part.top + part.height);
  if (left >= right || top >= bottom) return;
  const auto row_of_sets = [&](int y) {
    return sets + ptrdiff_t{y - part.top} * part.width + (left - part.left);
  };
  if (!tile.classes) {
    const auto set = static_cast<uint8_t>(1 << tile.all);
    for (int y = top; y < bottom; ++y) {
      uint8_t* const out = row_of_sets(y);
      for (int x = 0; x < right - left; ++x) out[x] |= set;
    }
    return;
  }
  const int first = std::max(across.first(left), place.left);
  const int columns = std::min(across.end(right - 1), place.left + place.width) - first;
  constexpr int rows = 8;  // drawn rows of a task
  const int tasks = (bottom - top + rows - 1) / rows;
  workspace.sets.resize(count_pixels(tasks, columns));
  parallel(tasks, threads, [&](int task) {
    uint8_t* const under = workspace.sets.data() + count_pixels(task, columns);
    for (int y = top + task * rows; y < std::min(top + (task + 1) * rows, bottom); ++y) {
      std::fill_n(under, columns, uint8_t{0});
      const int end = std::min(down.end(y), place.top + place.height);
      for (int j = std::max(down.first(y), place.top); j < end; ++j) {
        const uint8_t* const from =
            tile.classes + ptrdiff_t{j - place.top} * place.width + (first - place.left);
        for (int x = 0; x < columns; ++x) under[x] |= static_cast<uint8_t>(1 << from[x]);
      }
      uint8_t* const out = row_of_sets(y);
      for (int x = left; x < right; ++x) {
        const int last = std::min(across.end(x), first + columns);
        for (int j = std::max(across.first(x), first); j < last; ++j)
          out[x - left] |= under[j - first];
      }
    }
  });
}

void alpha_sets_to_classes(uint8_t* sets, size_t count) {
  for (size_t i = 0; i < count; ++i) sets[i] = set_classes[sets[i] & 15];
}

void alpha_classes(const uint8_t* map, int height, int width, int drawn_height, int drawn_width,
                   const Part& part, int threads, uint8_t* classes, AlphaMapWorkspace& workspace) {
  const size_t count = count_pixels(part.height, part.width);
  std::fill_n(classes, count, uint8_t{0});
  const AlphaTile all{{0, 0, height, width}, map, as_drawn};
  add_alpha_sets(all, height, width, drawn_height, drawn_width, part, threads, classes, workspace);
  alpha_sets_to_classes(classes, count);
}

}  // namespace gi
