#include "grain/add_grain.h"

#include <algorithm>
#include <array>

#include "base/pool.h"
#include "grain/grain_block.h"
#include "simd/dispatch.h"

namespace gi {
namespace {

constexpr int side = grain_block;

// Strength of each level, about 2 · 2^(level / 2).
constexpr std::array<int, grain_levels> strengths = {0,  3,  4,  6,  8,   11,  16,  23,
                                                     32, 45, 64, 91, 128, 181, 256, 362};

// Noise that repeats after `period` pixels along both axes, in bands. The first rows and columns
// are there again at the end, so that a block begins at any pixel.
struct NoiseTable {
  int period;
  std::array<std::vector<int8_t>, grain_bands> bands;

  int stride() const { return period + side; }
  const int8_t* at(size_t band, int y, int x) const {
    return bands[band].data() + static_cast<ptrdiff_t>(y % period) * stride() + x % period;
  }
};

using Plane = std::vector<int64_t>;

// Returns the sums of five neighbors along an axis, `step` pixels apart, weighted by 1, 4, 6, 4, 1.
Plane blur(const Plane& plane, int period, int step, bool along_x) {
  Plane blurred(plane.size());
  const auto wrap = [period](int i) { return (i % period + period) % period; };
  for (int y = 0; y < period; ++y) {
    for (int x = 0; x < period; ++x) {
      const auto at = [&](int shift) {
        const int row = along_x ? y : wrap(y + shift), column = along_x ? wrap(x + shift) : x;
        return plane[static_cast<size_t>(row * period + column)];
      };
      blurred[static_cast<size_t>(y * period + x)] =
          at(-2 * step) + 4 * at(-step) + 6 * at(0) + 4 * at(step) + at(2 * step);
    }
  }
  return blurred;
}

NoiseTable make_table(int period, uint32_t& state) {
  Plane white(static_cast<size_t>(period) * static_cast<size_t>(period));
  for (int64_t& value : white) {
    state ^= state << 13;
    state ^= state >> 17;
    state ^= state << 5;
    value = static_cast<int64_t>((state & 255) + (state >> 8 & 255) + (state >> 16 & 255) +
                                 (state >> 24)) -
            510;
  }
  const Plane x = blur(white, period, 1, true), y = blur(white, period, 1, false);
  const Plane low = blur(x, period, 1, false);
  const Plane x2 = blur(low, period, 2, true), y2 = blur(low, period, 2, false);
  const Plane low2 = blur(x2, period, 2, false);
  // These make the standard deviation of each band about 22.6.
  constexpr std::array<int64_t, grain_bands> factors = {26512, 26512, 19100, 388, 388};
  NoiseTable table{period, {}};
  const int stride = table.stride();
  for (auto& band : table.bands) band.resize(static_cast<size_t>(stride * stride));
  for (int row = 0; row < stride; ++row) {
    for (int column = 0; column < stride; ++column) {
      const auto i = static_cast<size_t>(row % period * period + column % period);
      const std::array<int64_t, grain_bands> values = {
          16 * x[i] - low[i], 16 * y[i] - low[i], 256 * white[i] - 16 * x[i] - 16 * y[i] + low[i],
          16 * x2[i] - low2[i], 16 * y2[i] - low2[i]};
      for (size_t band = 0; band < grain_bands; ++band) {
        const int64_t value = (values[band] * factors[band] + (1 << 23)) >> 24;
        table.bands[band][static_cast<size_t>(row * stride + column)] =
            static_cast<int8_t>(std::clamp<int64_t>(value, -127, 127));
      }
    }
  }
  return table;
}

// Two tables, whose sum repeats after 16,000 pixels.
struct Noise {
  NoiseTable first, second;

  Noise() {
    uint32_t state = 2463534242u;
    first = make_table(128, state);
    second = make_table(125, state);
  }
};

const Noise& noise() {
  static const Noise made;
  return made;
}

// A cell and how far a point lies between its center and that of the next cell, in units of
// 2^-(cell + 1).
struct Between {
  int low, high, part;
};

// Returns where the center of a block of the drawn picture lies between the centers of cells.
Between between(int first_pixel, int size, int drawn, int cell, int cells) {
  const int64_t center = (int64_t{first_pixel} + side / 2) * 2 * size / drawn;
  const int64_t from_first = center - (int64_t{1} << cell);
  const auto index = static_cast<int>(from_first >> (cell + 1));
  const auto part = static_cast<int>(from_first & ((int64_t{1} << (cell + 1)) - 1));
  return {std::clamp(index, 0, cells - 1), std::clamp(index + 1, 0, cells - 1), part};
}

// The strengths of the noise in a block, in units of 1/16.
std::array<int, grain_bands> block_strengths(const Grain& grain, const Between& y,
                                             const Between& x) {
  const int whole = 1 << (grain.cell + 1), columns = grain.columns();
  std::array<int, grain_bands> found;
  for (size_t band = 0; band < grain_bands; ++band) {
    const auto at = [&](int row, int column) {
      const size_t cell =
          static_cast<size_t>(row) * static_cast<size_t>(columns) + static_cast<size_t>(column);
      return strengths[grain.levels[cell * grain_bands + band]];
    };
    const int above = at(y.low, x.low) * (whole - x.part) + at(y.low, x.high) * x.part;
    const int below = at(y.high, x.low) * (whole - x.part) + at(y.high, x.high) * x.part;
    found[band] = (above * (whole - y.part) + below * y.part) >> (2 * grain.cell - 2);
  }
  return found;
}

// Returns the factor of each luma, in units of 1/64.
std::array<int, 256> brightness_factors(const uint8_t (&brightness)[3]) {
  const int dark = brightness[0], middle = brightness[1], light = brightness[2];
  std::array<int, 256> factors;
  for (int luma = 0; luma < 256; ++luma) {
    const int rise =
        (middle - dark) * std::min(luma, 128) + (light - middle) * std::max(luma - 128, 0);
    factors[static_cast<size_t>(luma)] = dark + (rise >> 7);
  }
  return factors;
}

void add_to_block(const Kernels& k, const GrainBlock& block, int channels, int height, int width,
                  uint8_t* pixels, ptrdiff_t stride) {
  k.add_grain8(block, channels, height, width, pixels, stride);
}
void add_to_block(const Kernels& k, const GrainBlock& block, int channels, int height, int width,
                  uint16_t* pixels, ptrdiff_t stride) {
  k.add_grain16(block, channels, height, width, pixels, stride);
}
void add_to_block(const Kernels& k, const GrainBlock& block, int channels, int height, int width,
                  float* pixels, ptrdiff_t stride) {
  k.add_grain_float(block, channels, height, width, pixels, stride);
}

bool has_whole_blocks(int begin, int length, int drawn) {
  const int end = begin + length;
  return begin % side == 0 && (end % side == 0 || end == drawn);
}

}  // namespace

bool has_whole_blocks(const Part& part, int drawn_height, int drawn_width) {
  return has_whole_blocks(part.top, part.height, drawn_height) &&
         has_whole_blocks(part.left, part.width, drawn_width);
}

template <typename T>
void add_grain(const Grain& grain, T* pixels, int channels, const Part& part, int drawn_height,
               int drawn_width, int threads) {
  const Noise& tables = noise();
  const Kernels& k = kernels();
  const std::array<int, 256> factors = brightness_factors(grain.brightness);
  const ptrdiff_t stride = static_cast<ptrdiff_t>(part.width) * channels;
  parallel((part.height + side - 1) / side, threads, [&](int row_of_blocks) {
    const int top = row_of_blocks * side, y = part.top + top;
    const Between rows = between(y, grain.height, drawn_height, grain.cell, grain.rows());
    for (int left = 0; left < part.width; left += side) {
      const int x = part.left + left;
      const Between columns = between(x, grain.width, drawn_width, grain.cell, grain.columns());
      GrainBlock block;
      block.strength = block_strengths(grain, rows, columns);
      if (block.strength == std::array<int, grain_bands>{}) continue;
      block.first_stride = tables.first.stride();
      block.second_stride = tables.second.stride();
      for (size_t band = 0; band < grain_bands; ++band) {
        block.first[band] = tables.first.at(band, y, x);
        block.second[band] = tables.second.at(band, y, x + grain.seed);
      }
      block.factors = factors.data();
      add_to_block(k, block, channels, std::min(side, part.height - top),
                   std::min(side, part.width - left), pixels + top * stride + left * channels,
                   stride);
    }
  });
}

template void add_grain(const Grain&, uint8_t*, int, const Part&, int, int, int);
template void add_grain(const Grain&, uint16_t*, int, const Part&, int, int, int);
template void add_grain(const Grain&, float*, int, const Part&, int, int, int);

}  // namespace gi
