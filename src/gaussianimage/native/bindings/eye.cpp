// Python's view of the measures of what an eye sees.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/array.h>
#include <nanobind/stl/optional.h>

#include <optional>

#include "base/pool.h"
#include "bindings/blocks.h"
#include "bindings/common.h"
#include "bindings/without_gil.h"
#include "eye/eye_weights.h"
#include "eye/local_contrast.h"
#include "eye/spots.h"

namespace nb = nanobind;

namespace gi {
namespace {

using Picture = nb::ndarray<const float, nb::numpy, nb::ndim<3>, nb::c_contig>;
using Map = nb::ndarray<const float, nb::numpy, nb::ndim<2>, nb::c_contig>;
using Shapes = nb::ndarray<const int32_t, nb::numpy, nb::shape<-1, 2>, nb::c_contig>;

ptrdiff_t rows(const Map& map) { return static_cast<ptrdiff_t>(map.shape(0)); }
ptrdiff_t columns(const Map& map) { return static_cast<ptrdiff_t>(map.shape(1)); }

BlockSource make_source(const Picture& picture, const std::optional<Map>& divisors = {}) {
  if (picture.size() == 0 || picture.shape(2) > max_channels) {
    throw nb::value_error("a picture must be (H, W, C) with 1 to 4 channels");
  }
  if (divisors &&
      (divisors->shape(0) != picture.shape(0) || divisors->shape(1) != picture.shape(1))) {
    throw nb::value_error("weights has the wrong shape");
  }
  return {picture.data(), static_cast<int>(picture.shape(0)), static_cast<int>(picture.shape(1)),
          static_cast<int>(picture.shape(2)), divisors ? divisors->data() : nullptr};
}

}  // namespace

void bind_eye(nb::module_& m) {
  m.attr("BLOCK") = static_cast<int>(block_side);
  m.def(
      "block_contrast",
      [](Picture pixels, BlockNumbers blocks, int threads) {
        const BlockSource source = make_source(pixels);
        check_blocks(source, blocks);
        auto largest = make_array<float>({blocks.size()});
        auto usual = make_array<float>({blocks.size()});
        without_gil([&] {
          measure_contrast(source, blocks.data(), blocks.size(), resolve_threads(threads),
                           largest.data(), usual.data());
        });
        return nb::make_tuple(largest, usual);
      },
      nb::arg("pixels"), nb::arg("blocks"), nb::arg("threads"));
  m.def(
      "block_peaks",
      [](Picture errors, std::optional<Map> weights, BlockNumbers blocks, int threads) {
        const BlockSource source = make_source(errors, weights);
        check_blocks(source, blocks);
        auto peaks = make_array<float>({blocks.size()});
        without_gil([&] {
          measure_peaks(source, blocks.data(), blocks.size(), resolve_threads(threads),
                        peaks.data());
        });
        return peaks;
      },
      nb::arg("errors"), nb::arg("weights").none(), nb::arg("blocks"), nb::arg("threads"));
  m.def(
      "block_excess",
      [](Picture pixels, Picture errors, std::optional<Map> weights, BlockNumbers blocks,
         int threads) {
        const BlockSource source = make_source(pixels), error = make_source(errors, weights);
        if (error.height != source.height || error.width != source.width ||
            error.channels != source.channels) {
          throw nb::value_error("pixels and errors must have the same shape");
        }
        check_blocks(source, blocks);
        auto excess = make_array<double>({blocks.size()});
        without_gil([&] {
          const auto cut_error = [&](int64_t number, Block& block) {
            cut_block(error, number, block);
          };
          measure_excess(source, cut_error, nullptr, blocks.data(), blocks.size(),
                         resolve_threads(threads), excess.data());
        });
        return excess;
      },
      nb::arg("pixels"), nb::arg("errors"), nb::arg("weights").none(), nb::arg("blocks"),
      nb::arg("threads"));
  m.def(
      "block_spots",
      [](Picture errors, std::optional<Map> weights, BlockNumbers blocks, Shapes shapes,
         size_t rounds, int threads) {
        const BlockSource source = make_source(errors, weights);
        check_blocks(source, blocks);
        std::vector<std::array<int32_t, 2>> boxes(shapes.shape(0));
        for (size_t i = 0; i < boxes.size(); ++i) {
          boxes[i] = {shapes.data()[2 * i], shapes.data()[2 * i + 1]};
          for (int32_t half : boxes[i]) {
            if (half < 0 || half >= block_side) throw nb::value_error("a box is too large");
          }
        }
        const size_t count = rounds * blocks.size(),
                     channels = static_cast<size_t>(source.channels);
        std::vector<Spot> spots(count);
        without_gil([&] {
          find_spots(source, blocks.data(), blocks.size(), boxes.data(), boxes.size(), rounds,
                     resolve_threads(threads), spots.data());
        });
        auto places = make_array<int64_t>({count, 2}), halves = make_array<int64_t>({count, 2});
        auto colors = make_array<float>({count, channels});
        for (size_t i = 0; i < count; ++i) {
          const Spot& spot = spots[i];
          places.data()[2 * i] = spot.y;
          places.data()[2 * i + 1] = spot.x;
          halves.data()[2 * i] = spot.down;
          halves.data()[2 * i + 1] = spot.across;
          std::copy_n(spot.colors, channels, colors.data() + channels * i);
        }
        return nb::make_tuple(places, halves, colors);
      },
      nb::arg("errors"), nb::arg("weights").none(), nb::arg("blocks"), nb::arg("shapes"),
      nb::arg("rounds"), nb::arg("threads"));
  m.def(
      "luma",
      [](Picture values, std::array<float, 3> parts, int threads) {
        const BlockSource source = make_source(values);
        auto luma = make_array<float>({values.shape(0), values.shape(1)});
        without_gil([&] {
          measure_luma(values.data(), luma.size(), source.channels, parts.data(),
                       resolve_threads(threads), luma.data());
        });
        return luma;
      },
      nb::arg("values"), nb::arg("parts"), nb::arg("threads"));
  m.def(
      "local_variance",
      [](Map values, int threads) {
        auto variance = make_array<float>({values.shape(0), values.shape(1)});
        without_gil([&] {
          measure_variance(values.data(), rows(values), columns(values), resolve_threads(threads),
                           variance.data());
        });
        return variance;
      },
      nb::arg("values"), nb::arg("threads"));
  m.def(
      "emphasis",
      [](Map light, Map error, float noise, int threads) {
        if (error.shape(0) != light.shape(0) || error.shape(1) != light.shape(1)) {
          throw nb::value_error("light and error must have the same shape");
        }
        auto emphasis = make_array<float>({light.shape(0), light.shape(1)});
        without_gil([&] {
          measure_emphasis(light.data(), error.data(), rows(light), columns(light), noise,
                           resolve_threads(threads), emphasis.data());
        });
        return emphasis;
      },
      nb::arg("light"), nb::arg("error"), nb::arg("noise"), nb::arg("threads"));
  m.def(
      "combine_scales",
      [](Map fine, double fine_mean, Map coarse, double coarse_mean, int scale, int threads) {
        const auto blocks = [&](size_t side) {
          return (side + static_cast<size_t>(scale) - 1) / static_cast<size_t>(scale);
        };
        if (scale < 1 || coarse.shape(0) != blocks(fine.shape(0)) ||
            coarse.shape(1) != blocks(fine.shape(1))) {
          throw nb::value_error("coarse has the wrong shape");
        }
        auto combined = make_array<float>({fine.shape(0), fine.shape(1)});
        without_gil([&] {
          combine_scales(fine.data(), fine_mean, coarse.data(), coarse_mean, rows(fine),
                         columns(fine), scale, resolve_threads(threads), combined.data());
        });
        return combined;
      },
      nb::arg("fine"), nb::arg("fine_mean"), nb::arg("coarse"), nb::arg("coarse_mean"),
      nb::arg("scale"), nb::arg("threads"));
  m.def(
      "normalize_weights",
      [](nb::ndarray<float, nb::numpy, nb::ndim<2>, nb::c_contig> weights, float low, float high,
         int rounds, int threads) {
        without_gil([&] {
          normalize_weights(weights.data(), weights.size(), low, high, rounds,
                            resolve_threads(threads));
        });
      },
      nb::arg("weights").noconvert(), nb::arg("low"), nb::arg("high"), nb::arg("rounds"),
      nb::arg("threads"));
}

}  // namespace gi
