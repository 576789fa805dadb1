// Python's view of the optimizer.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include <string>
#include <vector>

#include "base/grow.h"
#include "base/interrupt.h"
#include "bindings/common.h"
#include "bindings/without_gil.h"
#include "fit/optimizer.h"

namespace nb = nanobind;

namespace gi {
namespace {

template <typename T>
using Rows = nb::ndarray<const T, nb::numpy, nb::ndim<2>, nb::c_contig>;
template <typename T>
using Values = nb::ndarray<const T, nb::numpy, nb::ndim<1>, nb::c_contig>;
using Picture = nb::ndarray<const float, nb::numpy, nb::ndim<3>, nb::c_contig>;
using Sides = nb::ndarray<const int8_t, nb::numpy, nb::ndim<3>, nb::c_contig>;
using Weights = nb::ndarray<const float, nb::numpy, nb::ndim<3>>;  // with any strides

template <typename T>
void check(const Rows<T>& rows, size_t count, size_t columns, const char* name) {
  if (rows.shape(0) != count || rows.shape(1) != columns) {
    throw nb::value_error((std::string(name) + " has the wrong shape").c_str());
  }
}

template <typename T>
void check(const Values<T>& values, size_t count, const char* name) {
  if (values.shape(0) != count) {
    throw nb::value_error((std::string(name) + " has the wrong length").c_str());
  }
}

template <typename T>
void assign(std::vector<T>& to, const Rows<T>& from, size_t columns, const char* name) {
  check(from, columns == 0 ? 0 : to.size() / columns, columns, name);
  std::copy_n(from.data(), to.size(), to.begin());
}

size_t size(const Optimizer& o) { return static_cast<size_t>(o.count()); }

// Makes an uninitialized array of one value for each pixel.
auto make_map(const Optimizer& o) {
  return make_array<float>({static_cast<size_t>(o.height()), static_cast<size_t>(o.width())});
}

struct PackedWeights {
  const float* values;
  int channels;
};

// Returns weights row by row: one for each pixel if all of its channels have the same, as in an
// array that is repeated along its last axis without copies. Uses `memory` where they lie
// otherwise.
PackedWeights pack(const Weights& weights, std::vector<float>& memory) {
  const size_t height = weights.shape(0), width = weights.shape(1), channels = weights.shape(2);
  const int64_t down = weights.stride(0), right = weights.stride(1), next = weights.stride(2);
  const auto at = [&](size_t y, size_t x, size_t k) {
    return weights.data()[static_cast<int64_t>(y) * down + static_cast<int64_t>(x) * right +
                          static_cast<int64_t>(k) * next];
  };
  bool same = true;
  for (size_t y = 0; y < height && next != 0; ++y) {
    check_interrupt();
    for (size_t x = 0; x < width && same; ++x) {
      for (size_t k = 1; k < channels; ++k) same = same && at(y, x, k) == at(y, x, 0);
    }
  }
  const size_t kept = same ? 1 : channels;
  const int64_t row = static_cast<int64_t>(width * kept);
  const bool packed =
      (kept == 1 || next == 1) && right == static_cast<int64_t>(kept) && down == row;
  if (packed) return {weights.data(), static_cast<int>(kept)};
  memory = make_zeros<std::vector<float>>(height * width * kept);
  float* to = memory.data();
  for (size_t y = 0; y < height; ++y) {
    check_interrupt();
    for (size_t x = 0; x < width; ++x) {
      for (size_t k = 0; k < kept; ++k) *to++ = at(y, x, k);
    }
  }
  return {memory.data(), static_cast<int>(kept)};
}

}  // namespace

void bind_optimizer(nb::module_& m) {
  nb::class_<Optimizer>(m, "Optimizer")
      .def(
          "__init__",
          [](Optimizer* self, Picture target, double q_max, int threads) {
            if (target.shape(2) < 1 || target.shape(2) > max_channels || target.shape(0) < 1 ||
                target.shape(1) < 1) {
              throw nb::value_error("target must be (H, W, C) with 1 to 4 channels");
            }
            without_gil([&] {
              new (self) Optimizer(target.data(), static_cast<int>(target.shape(0)),
                                   static_cast<int>(target.shape(1)),
                                   static_cast<int>(target.shape(2)), q_max, threads);
            });
          },
          nb::arg("target"), nb::arg("q_max"), nb::arg("threads"))
      .def(
          "weigh",
          [](Optimizer& self, Weights weights) {
            if (weights.shape(0) != static_cast<size_t>(self.height()) ||
                weights.shape(1) != static_cast<size_t>(self.width()) ||
                weights.shape(2) != static_cast<size_t>(self.channels())) {
              throw nb::value_error("weights has the wrong shape");
            }
            without_gil([&] {
              std::vector<float> packed;
              const PackedWeights found = pack(weights, packed);
              self.weigh(found.values, found.channels);
            });
          },
          nb::arg("weights"))
      .def(
          "allow_beyond",
          [](Optimizer& self, Sides sides, float room) {
            if (sides.shape(0) != static_cast<size_t>(self.height()) ||
                sides.shape(1) != static_cast<size_t>(self.width()) ||
                sides.shape(2) != static_cast<size_t>(self.channels())) {
              throw nb::value_error("sides has the wrong shape");
            }
            without_gil([&] { self.allow_beyond(sides.data(), room); });
          },
          nb::arg("sides"), nb::arg("room"))
      .def_prop_rw("block_weight", &Optimizer::block_weight, &Optimizer::set_block_weight)
      .def_prop_rw("coarse", &Optimizer::coarse, &Optimizer::set_coarse)
      .def("__len__", &Optimizer::count)
      .def(
          "reserve",
          [](Optimizer& self, int count) {
            if (count < 0) throw nb::value_error("count is negative");
            self.reserve(count);
          },
          nb::arg("count"))
      .def_prop_ro("steps", &Optimizer::steps)
      .def(
          "add",
          [](Optimizer& self, Rows<double> means, Rows<double> cholesky, Rows<float> colors) {
            const size_t n = means.shape(0);
            check(means, n, 2, "means");
            check(cholesky, n, 3, "cholesky");
            check(colors, n, static_cast<size_t>(self.channels()), "colors");
            self.add(means.data(), cholesky.data(), colors.data(), static_cast<int>(n));
          },
          nb::arg("means"), nb::arg("cholesky"), nb::arg("colors"))
      .def(
          "keep",
          [](Optimizer& self, Values<uint8_t> keep) {
            check(keep, size(self), "keep");
            self.keep(keep.data());
          },
          nb::arg("keep"))
      .def(
          "bake",
          [](Optimizer& self, Values<uint8_t> bake) {
            check(bake, size(self), "bake");
            without_gil([&] { self.bake(bake.data()); });
          },
          nb::arg("bake"))
      .def(
          "adam",
          [](Optimizer& self, Rows<float> rates, double energy, double bits, double step) {
            const size_t count = rates.shape(0);
            check(rates, count, 3, "rates");
            auto losses = make_array<double>({count});
            without_gil([&] {
              self.adam(static_cast<int>(count), reinterpret_cast<const Rates*>(rates.data()),
                        {energy, bits, step}, losses.data());
            });
            return losses;
          },
          nb::arg("rates"), nb::arg("energy"), nb::arg("bits") = 0.0, nb::arg("step") = 1.0)
      .def(
          "gauss_newton",
          [](Optimizer& self, Values<float> rates, double energy, double step, double bits,
             double area) {
            const size_t count = rates.shape(0);
            auto losses = make_array<double>({count});
            without_gil([&] {
              self.gauss_newton(static_cast<int>(count), rates.data(), {energy, bits, step}, area,
                                losses.data());
            });
            return losses;
          },
          nb::arg("rates"), nb::arg("energy"), nb::arg("step"), nb::arg("bits") = 0.0,
          nb::arg("area") = 0.0)
      .def("overlaps",
           [](Optimizer& self) {
             auto out = make_array<double>({size(self)});
             without_gil([&] {
               const std::vector<double> found = self.overlaps();
               std::copy(found.begin(), found.end(), out.data());
             });
             return out;
           })
      .def(
          "solve_colors",
          [](Optimizer& self, int iterations, double ridge) {
            double loss = 0;
            without_gil([&] { loss = self.solve_colors(iterations, ridge); });
            return loss;
          },
          nb::arg("iterations"), nb::arg("ridge"))
      .def("residual",
           [](Optimizer& self) {
             auto out = make_array<float>({static_cast<size_t>(self.height()),
                                           static_cast<size_t>(self.width()),
                                           static_cast<size_t>(self.channels())});
             without_gil([&] { self.residual(out.data()); });
             return out;
           })
      .def("residual_magnitudes",
           [](Optimizer& self) {
             auto out = make_map(self);
             without_gil([&] { self.residual_magnitudes(out.data()); });
             return out;
           })
      .def(
          "residual_sums",
          [](Optimizer& self, Values<float> parts) {
            check(parts, static_cast<size_t>(self.channels()), "parts");
            auto out = make_map(self);
            without_gil([&] { self.residual_sums(parts.data(), out.data()); });
            return out;
          },
          nb::arg("parts"))
      .def(
          "residual_at",
          [](Optimizer& self, Values<int64_t> pixels) {
            const int64_t most = int64_t{self.height()} * self.width();
            for (size_t i = 0; i < pixels.size(); ++i) {
              if (pixels.data()[i] < 0 || pixels.data()[i] >= most) {
                throw nb::index_error("a pixel is outside of the picture");
              }
            }
            auto out = make_array<float>({pixels.size(), static_cast<size_t>(self.channels())});
            without_gil([&] { self.residual_at(pixels.data(), pixels.size(), out.data()); });
            return out;
          },
          nb::arg("pixels"))
      .def_prop_rw(
          "means", [](Optimizer& o) { return copy_array(o.means.data(), {size(o), 2}); },
          [](Optimizer& o, Rows<double> v) { assign(o.means, v, 2, "means"); })
      .def_prop_rw(
          "cholesky", [](Optimizer& o) { return copy_array(o.cholesky.data(), {size(o), 3}); },
          [](Optimizer& o, Rows<double> v) { assign(o.cholesky, v, 3, "cholesky"); })
      .def_prop_rw(
          "colors",
          [](Optimizer& o) {
            return copy_array(o.colors.data(), {size(o), static_cast<size_t>(o.channels())});
          },
          [](Optimizer& o, Rows<float> v) {
            assign(o.colors, v, static_cast<size_t>(o.channels()), "colors");
          })
      .def_prop_rw(
          "first",
          [](Optimizer& o) {
            return copy_array(o.first.data(), {size(o), static_cast<size_t>(o.parameters())});
          },
          [](Optimizer& o, Rows<float> v) {
            assign(o.first, v, static_cast<size_t>(o.parameters()), "first");
          })
      .def_prop_rw(
          "second",
          [](Optimizer& o) {
            return copy_array(o.second.data(), {size(o), static_cast<size_t>(o.parameters())});
          },
          [](Optimizer& o, Rows<float> v) {
            assign(o.second, v, static_cast<size_t>(o.parameters()), "second");
          })
      .def_prop_rw(
          "age", [](Optimizer& o) { return copy_array(o.age().data(), {size(o)}); },
          [](Optimizer& o, Values<uint32_t> v) {
            check(v, size(o), "age");
            std::copy_n(v.data(), size(o), o.age().begin());
          })
      .def_prop_rw(
          "trainable", [](Optimizer& o) { return copy_array(o.trainable().data(), {size(o)}); },
          [](Optimizer& o, Values<uint8_t> v) {
            check(v, size(o), "trainable");
            std::copy_n(v.data(), size(o), o.trainable().begin());
          });
}

}  // namespace gi
