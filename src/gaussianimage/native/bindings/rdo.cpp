// Python's view of the rate-distortion optimization.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>

#include <optional>
#include <string>

#include "base/pool.h"
#include "bindings/blocks.h"
#include "bindings/common.h"
#include "bindings/layer_arrays.h"
#include "bindings/without_gil.h"
#include "eye/local_contrast.h"
#include "fit/optimizer.h"
#include "rdo/coordinate_descent.h"

namespace nb = nanobind;

namespace gi {
namespace {

using Picture = nb::ndarray<const float, nb::numpy, nb::ndim<3>, nb::c_contig>;
using Factors = nb::ndarray<const double, nb::numpy, nb::ndim<1>, nb::c_contig>;
using OutPicture = nb::ndarray<float, nb::numpy, nb::ndim<3>, nb::c_contig>;
using Map = nb::ndarray<const float, nb::numpy, nb::ndim<2>, nb::c_contig>;

// Copies height × width × channels floats to tiles.
void put_in_tiles(const float* values, const TiledResidual& tiles, int threads) {
  parallel_ranges(tiles.height, threads, [&](int begin, int end) {
    for (int y = begin; y < end; ++y) {
      const float* const row = values + ptrdiff_t{y} * tiles.width * tiles.channels;
      for (int x = 0; x < tiles.width; ++x) {
        float* const p = tiles.row(y, x);
        for (int k = 0; k < tiles.channels; ++k) p[16 * k] = row[x * tiles.channels + k];
      }
    }
  });
}

// Raises ValueError if an array has not the shape of the residual.
template <typename Array>
void check_picture(const CoordinateDescent& descent, const Array& picture, const char* name) {
  if (picture.shape(0) != static_cast<size_t>(descent.height()) ||
      picture.shape(1) != static_cast<size_t>(descent.width()) ||
      picture.shape(2) != static_cast<size_t>(descent.channels())) {
    throw nb::value_error((std::string(name) + " has the wrong shape").c_str());
  }
}

template <typename Fill>
void make_descent(CoordinateDescent* self, const Quantizer& quantizer, double q_max, Fill&& fill,
                  const std::optional<Map>& roots, double block_weight, int threads) {
  if (roots && (roots->shape(0) != static_cast<size_t>(quantizer.height) ||
                roots->shape(1) != static_cast<size_t>(quantizer.width))) {
    throw nb::value_error("roots has the wrong shape");
  }
  without_gil([&] {
    new (self) CoordinateDescent(quantizer, q_max, fill, roots ? roots->data() : nullptr,
                                 block_weight, resolve_threads(threads));
  });
}

}  // namespace

void bind_rdo(nb::module_& m) {
  using Counts = nb::ndarray<const uint32_t, nb::numpy, nb::ndim<2>, nb::c_contig>;

  m.attr("SYMBOL_MODELS") = SymbolCosts::models();
  nb::class_<SymbolCosts>(m, "SymbolCosts")
      .def(
          "__init__",
          [](SymbolCosts* self, const Quantizer& quantizer, Counts counts, Counts classes) {
            if (counts.shape(0) != static_cast<size_t>(SymbolCosts::models()) ||
                counts.shape(1) != 16 || classes.shape(0) != 4 || classes.shape(1) != precisions) {
              throw nb::value_error("counts or classes has the wrong shape");
            }
            new (self) SymbolCosts(quantizer, counts.data(), classes.data());
          },
          nb::arg("quantizer"), nb::arg("counts"), nb::arg("classes"));

  nb::class_<CoordinateDescent>(m, "CoordinateDescent")
      .def(
          "__init__",
          [](CoordinateDescent* self, const Quantizer& quantizer, double q_max, Optimizer& residual,
             std::optional<Map> roots, double block_weight, int threads) {
            if (residual.height() != quantizer.height || residual.width() != quantizer.width ||
                residual.channels() != quantizer.channels) {
              throw nb::value_error("residual has the wrong shape");
            }
            const auto fill = [&](const TiledResidual& tiles) {
              residual.residual_in_strips(tiles.strip_floats(), tiles.data);
            };
            make_descent(self, quantizer, q_max, fill, roots, block_weight, threads);
          },
          nb::arg("quantizer"), nb::arg("q_max"), nb::arg("residual"), nb::arg("roots").none(),
          nb::arg("block_weight"), nb::arg("threads"))
      .def(
          "keep_within",
          [](CoordinateDescent& self, double left, double top, double right, double bottom) {
            self.keep_within({left, top, right, bottom});
          },
          nb::arg("left"), nb::arg("top"), nb::arg("right"), nb::arg("bottom"))
      .def(
          "__init__",
          [](CoordinateDescent* self, const Quantizer& quantizer, double q_max, Picture residual,
             std::optional<Map> roots, double block_weight, int threads) {
            if (residual.shape(0) != static_cast<size_t>(quantizer.height) ||
                residual.shape(1) != static_cast<size_t>(quantizer.width) ||
                residual.shape(2) != static_cast<size_t>(quantizer.channels)) {
              throw nb::value_error("residual has the wrong shape");
            }
            const auto fill = [&](const TiledResidual& tiles) {
              put_in_tiles(residual.data(), tiles, resolve_threads(threads));
            };
            make_descent(self, quantizer, q_max, fill, roots, block_weight, threads);
          },
          nb::arg("quantizer"), nb::arg("q_max"), nb::arg("residual"), nb::arg("roots").none(),
          nb::arg("block_weight"), nb::arg("threads"))
      .def(
          "run_pass",
          [](CoordinateDescent& self, const Quantizer& quantizer, ByteArray precision,
             IntegerArray position, IntegerArray color, IntegerArray shape, ByteArray sets,
             const SymbolCosts& costs, double weight, int threads) {
            Layer layer = make_layer(quantizer, precision, position, color, shape);
            validate(quantizer, layer);
            const size_t n = layer.count();
            if (sets.shape(0) != n) throw nb::value_error("sets has the wrong length");
            without_gil([&] {
              self.run_pass(layer, sets.data(), costs, weight, resolve_threads(threads));
            });
            return nb::make_tuple(
                copy_array(layer.precision.data(), {n}),
                copy_array(layer.position.data(), {n, size_t{2}}),
                copy_array(layer.color.data(), {n, static_cast<size_t>(quantizer.channels)}),
                copy_array(layer.shape.data(), {n, size_t{3}}));
          },
          nb::arg("quantizer"), nb::arg("precision"), nb::arg("position"), nb::arg("color"),
          nb::arg("shape"), nb::arg("sets"), nb::arg("costs"), nb::arg("weight"),
          nb::arg("threads"))
      .def(
          "block_excess",
          [](CoordinateDescent& self, Picture pixels, Map bounds, BlockNumbers blocks,
             int threads) {
            check_picture(self, pixels, "pixels");
            const BlockSource source{pixels.data(), self.height(), self.width(), self.channels()};
            if (bounds.shape(0) != 2 || bounds.shape(1) != pixels.shape(2)) {
              throw nb::value_error("bounds has the wrong shape");
            }
            check_blocks(source, blocks);
            auto excess = make_array<double>({blocks.size()});
            without_gil([&] {
              measure_excess(
                  source, [&](int64_t number, Block& block) { self.cut_block(number, block); },
                  bounds.data(), blocks.data(), blocks.size(), resolve_threads(threads),
                  excess.data());
            });
            return excess;
          },
          nb::arg("pixels"), nb::arg("bounds"), nb::arg("blocks"), nb::arg("threads"))
      .def(
          "weigh_blocks",
          [](CoordinateDescent& self, BlockNumbers blocks, Factors factors) {
            check_blocks({nullptr, self.height(), self.width(), self.channels()}, blocks);
            if (factors.size() != blocks.size()) {
              throw nb::value_error("factors has the wrong length");
            }
            without_gil([&] {
              for (size_t i = 0; i < blocks.size(); ++i) {
                self.weigh_block(blocks.data()[i], factors.data()[i]);
              }
            });
          },
          nb::arg("blocks"), nb::arg("factors"))
      .def(
          "copy_residual",
          [](CoordinateDescent& self, OutPicture to) {
            check_picture(self, to, "to");
            without_gil([&] { self.copy_residual(to.data()); });
          },
          nb::arg("to").noconvert());
}

}  // namespace gi
