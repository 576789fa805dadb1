// Python's view of the paper's training.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/string.h>

#include <algorithm>
#include <string>
#include <vector>

#include "bindings/common.h"
#include "bindings/without_gil.h"
#include "paper/training.h"

namespace nb = nanobind;

namespace gi {
namespace {

using paper::Codebooks;
using paper::Parameter;
using paper::Parametrization;
using paper::Training;

using Rows = nb::ndarray<const float, nb::numpy, nb::ndim<2>, nb::c_contig>;
using Values = nb::ndarray<const float, nb::numpy, nb::ndim<1>, nb::c_contig>;
using Books = nb::ndarray<const float, nb::numpy, nb::ndim<3>, nb::c_contig>;
using Rates = nb::ndarray<const double, nb::numpy, nb::ndim<1>, nb::c_contig>;
using AnyArray = nb::ndarray<const float, nb::numpy, nb::c_contig>;

void check(bool fits, const char* message) {
  if (!fits) throw nb::value_error(message);
}

// Calls use(name, array) for every array of the state.
template <typename Use>
void for_each_array(Training& training, Use&& use) {
  for (Parameter& p : training.parameters) {
    use(p.name, p.value);
    use(p.name + ".mean", p.mean);
    use(p.name + ".difference", p.difference);
    use(p.name + ".square", p.square);
    use(p.name + ".previous", p.previous);
    use("best." + p.name, p.best);
  }
  if (!training.codebooks) return;
  for (const bool best : {false, true}) {
    Codebooks::State& state = best ? training.codebooks->best : training.codebooks->state;
    const std::string prefix = best ? "best." : "";
    use(prefix + "codebooks", state.entries);
    use(prefix + "counts", state.counts);
    use(prefix + "sums", state.sums);
  }
}

nb::object copy_of(const std::vector<float>& values) {
  return copy_array(values.data(), {values.size()});
}

void check_quantizer(int bits, const Values& scale, const Values& beta, size_t columns) {
  check(bits >= 1 && bits <= 12, "bits must be from 1 to 12");
  check(scale.shape(0) == columns && beta.shape(0) == columns,
        "scale and beta must have a number for each column");
}

}  // namespace

void bind_paper(nb::module_& m) {
  nb::class_<Training>(m, "PaperTraining")
      .def(
          "__init__",
          [](Training* self, Books target, Rows means, Rows shape, Rows colors, Values offsets,
             Values middle, Values reach, bool rotation, bool angle, double q_max, int threads) {
            const size_t n = means.shape(0), channels = target.shape(2);
            check(target.shape(0) >= 1 && target.shape(1) >= 1 && channels >= 1 &&
                      channels <= max_channels && target.shape(0) <= max_window_side &&
                      target.shape(1) <= max_window_side,
                  "target must be (H, W, C) with 1 to 4 channels");
            check(n >= 1 && n <= 0x7fffffff / 8, "means must be (N, 2) with N from 1");
            check(means.shape(1) == 2, "means must be (N, 2)");
            check(shape.shape(0) == n && shape.shape(1) == 3, "shape must be (N, 3)");
            check(colors.shape(0) == n && colors.shape(1) == channels, "colors must be (N, C)");
            check(offsets.shape(0) == 3 && middle.shape(0) == 2 && reach.shape(0) == 2,
                  "offsets, middle and reach must have 3, 2 and 2 numbers");
            Parametrization model;
            model.rotation = rotation;
            model.angle = rotation && angle;
            std::copy_n(offsets.data(), 3, model.offsets);
            std::copy_n(middle.data(), 2, model.middle);
            std::copy_n(reach.data(), 2, model.reach);
            without_gil([&] {
              new (self)
                  Training(target.data(), static_cast<int>(target.shape(0)),
                           static_cast<int>(target.shape(1)), static_cast<int>(channels), model,
                           {means.data(), shape.data(), colors.data(), n}, q_max, threads);
            });
          },
          nb::arg("target"), nb::arg("means"), nb::arg("shape"), nb::arg("colors"),
          nb::arg("offsets"), nb::arg("middle"), nb::arg("reach"), nb::arg("rotation"),
          nb::arg("angle"), nb::arg("q_max"), nb::arg("threads"))
      .def(
          "follow_released_code",
          [](Training& self, bool doubled_gradient, bool tile_cut, int tile_entries) {
            check(tile_entries >= 0, "tile_entries must be from 0");
            self.follow({doubled_gradient, tile_cut, tile_entries});
          },
          nb::arg("doubled_gradient"), nb::arg("tile_cut"), nb::arg("tile_entries"))
      .def(
          "quantize_shapes",
          [](Training& self, int bits, float factor, Values scale, Values beta) {
            check_quantizer(bits, scale, beta, 3);
            check(self.parameters.size() == 3, "shapes are quantized once, and first");
            self.quantize_shapes((1 << bits) - 1, factor, scale.data(), beta.data());
          },
          nb::arg("bits"), nb::arg("factor"), nb::arg("scale"), nb::arg("beta"))
      .def(
          "quantize_colors",
          [](Training& self, int bits, float factor, Values scale, Values beta) {
            check_quantizer(bits, scale, beta, static_cast<size_t>(self.channels()));
            check(self.parameters.size() == 5 && !self.codebooks, "colors are quantized once");
            self.quantize_colors((1 << bits) - 1, factor, scale.data(), beta.data());
          },
          nb::arg("bits"), nb::arg("factor"), nb::arg("scale"), nb::arg("beta"))
      .def(
          "quantize_colors_by_codebooks",
          [](Training& self, Books codebooks, Rows counts, Books sums, double decay,
             bool commitment, bool revive) {
            const size_t stages = codebooks.shape(0), entries = codebooks.shape(1);
            const size_t channels = codebooks.shape(2);
            check(stages >= 1 && stages <= 8 && entries >= 2 && entries <= 256 &&
                      channels == static_cast<size_t>(self.channels()),
                  "codebooks must be (S, K, C)");
            check(counts.shape(0) == stages && counts.shape(1) == entries, "counts must be (S, K)");
            check(sums.shape(0) == stages && sums.shape(1) == entries && sums.shape(2) == channels,
                  "sums must be (S, K, C)");
            check(self.parameters.size() == 5 && !self.codebooks, "colors are quantized once");
            const auto values = [](const auto& array) {
              return std::vector<float>(array.data(), array.data() + array.size());
            };
            Codebooks::State state{values(codebooks), values(counts), values(sums)};
            self.quantize_colors(
                Codebooks(stages, entries, channels, std::move(state), decay, revive), commitment);
          },
          nb::arg("codebooks"), nb::arg("counts"), nb::arg("sums"), nb::arg("decay"),
          nb::arg("commitment"), nb::arg("revive"))
      .def_rw("steps", &Training::steps)
      .def_rw("best_error", &Training::best_error)
      .def(
          "run",
          [](Training& self, Rates rates) {
            auto errors = make_array<double>({rates.shape(0)});
            without_gil(
                [&] { self.run(static_cast<int>(rates.shape(0)), rates.data(), errors.data()); });
            return errors;
          },
          nb::arg("rates"))
      .def("measure",
           [](Training& self) {
             double error = 0;
             without_gil([&] { error = self.measure(); });
             return error;
           })
      .def("gradients",
           [](Training& self) {
             without_gil([&] { self.differentiate(); });
             nb::dict found;
             for (const Parameter& p : self.parameters) {
               found[nb::str(p.name.c_str())] = copy_of(p.gradient);
             }
             return found;
           })
      .def("state",
           [](Training& self) {
             nb::dict found;
             for_each_array(self, [&](const std::string& name, const std::vector<float>& values) {
               found[nb::str(name.c_str())] = copy_of(values);
             });
             return found;
           })
      .def(
          "load_state",
          [](Training& self, nb::dict state) {
            // Check all before the first is changed.
            for (const bool change : {false, true}) {
              for_each_array(self, [&](const std::string& name, std::vector<float>& values) {
                const nb::str key(name.c_str());
                check(state.contains(key), "an array of the state is missing");
                const auto array = nb::cast<AnyArray>(state[key]);
                check(array.size() == values.size(), "an array of the state has the wrong size");
                if (change) std::copy_n(array.data(), values.size(), values.begin());
              });
            }
          },
          nb::arg("state"));
}

}  // namespace gi
