// Python's view of the rate-distortion optimization.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>

#include <optional>

#include "base/pool.h"
#include "bindings/common.h"
#include "bindings/layer_arrays.h"
#include "bindings/without_gil.h"
#include "rdo/coordinate_descent.h"

namespace nb = nanobind;

namespace gi {

void bind_rdo(nb::module_& m) {
  using Picture = nb::ndarray<const float, nb::numpy, nb::ndim<3>, nb::c_contig>;
  using Plane = nb::ndarray<const float, nb::numpy, nb::ndim<2>, nb::c_contig>;
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
          [](CoordinateDescent* self, const Quantizer& quantizer, double q_max, Picture residual,
             std::optional<Plane> roots, double block_weight, int threads) {
            if (residual.shape(0) != static_cast<size_t>(quantizer.height) ||
                residual.shape(1) != static_cast<size_t>(quantizer.width) ||
                residual.shape(2) != static_cast<size_t>(quantizer.channels)) {
              throw nb::value_error("residual has the wrong shape");
            }
            if (roots &&
                (roots->shape(0) != residual.shape(0) || roots->shape(1) != residual.shape(1))) {
              throw nb::value_error("roots has the wrong shape");
            }
            without_gil([&] {
              new (self) CoordinateDescent(quantizer, q_max, residual.data(),
                                           roots ? roots->data() : nullptr, block_weight,
                                           resolve_threads(threads));
            });
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
      .def("residual", [](CoordinateDescent& self) {
        auto out = make_array<float>({static_cast<size_t>(self.height()),
                                      static_cast<size_t>(self.width()),
                                      static_cast<size_t>(self.channels())});
        without_gil([&] { self.residual(out.data()); });
        return out;
      });
}

}  // namespace gi
