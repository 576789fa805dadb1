// Python's view of the layer coder.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/vector.h>

#include <stdexcept>

#include "bindings.h"
#include "kernels.h"
#include "layer.h"

namespace nb = nanobind;

namespace gi {
namespace {

using Bytes = nb::ndarray<const uint8_t, nb::numpy, nb::ndim<1>, nb::c_contig>;
using Integers = nb::ndarray<const int32_t, nb::numpy, nb::ndim<2>, nb::c_contig>;

Quantizer make_quantizer(int height, int width, int channels, double color_step,
                         double shape_step) {
  if (height < 1 || height > 65536 || width < 1 || width > 65536 || channels < 1 ||
      channels > max_channels || !(color_step > 1e-6 && color_step < 1e3) ||
      !(shape_step > 1e-3 && shape_step < 1e2)) {
    throw nb::value_error("a quantizer's parameter is out of range");
  }
  return {height, width, channels, color_step, shape_step};
}

Layer make_layer(const Quantizer& quantizer, const Bytes& precision, const Integers& position,
                 const Integers& color, const Integers& shape) {
  const size_t n = precision.shape(0), channels = static_cast<size_t>(quantizer.channels);
  if (position.shape(0) != n || position.shape(1) != 2 || color.shape(0) != n ||
      color.shape(1) != channels || shape.shape(0) != n || shape.shape(1) != 3) {
    throw nb::value_error("a layer's arrays don't fit together");
  }
  Layer layer;
  layer.precision.assign(precision.data(), precision.data() + n);
  layer.position.assign(position.data(), position.data() + 2 * n);
  layer.color.assign(color.data(), color.data() + channels * n);
  layer.shape.assign(shape.data(), shape.data() + 3 * n);
  return layer;
}

// The same for an encoder, whose arrays must have the channels that it was made for.
Layer make_layer(const LayerEncoder& encoder, const Quantizer& quantizer, const Bytes& precision,
                 const Integers& position, const Integers& color, const Integers& shape) {
  if (quantizer.channels != encoder.quantizer().channels) {
    throw nb::value_error("the quantizer is not the encoder's");
  }
  return make_layer(quantizer, precision, position, color, shape);
}

// The three arrays of the engine, for all Gaussians of a layer.
nb::tuple floats(const Quantizer& quantizer, const Layer& layer) {
  const size_t n = layer.count();
  auto means = make_array<double>({n, 2});
  auto cholesky = make_array<double>({n, 3});
  auto colors = make_array<float>({n, static_cast<size_t>(quantizer.channels)});
  dequantize(quantizer, layer, 0, n, means.data(), cholesky.data(), colors.data());
  return nb::make_tuple(means, cholesky, colors);
}

}  // namespace

void bind_layers(nb::module_& m) {
  nb::class_<Quantizer>(m, "Quantizer")
      .def(
          "__init__",
          [](Quantizer* self, int height, int width, int channels, double color_step,
             double shape_step) {
            new (self) Quantizer(make_quantizer(height, width, channels, color_step, shape_step));
          },
          nb::arg("height"), nb::arg("width"), nb::arg("channels"), nb::arg("color_step"),
          nb::arg("shape_step"))
      .def(
          "dequantize",
          [](const Quantizer& self, Bytes precision, Integers position, Integers color,
             Integers shape) {
            const Layer layer = make_layer(self, precision, position, color, shape);
            check(self, layer);
            return floats(self, layer);
          },
          nb::arg("precision"), nb::arg("position"), nb::arg("color"), nb::arg("shape"));

  nb::class_<LayerEncoder>(m, "LayerEncoder")
      .def(nb::init<const Quantizer&, int>(), nb::arg("quantizer"), nb::arg("layers"))
      .def(
          "encode",
          [](LayerEncoder& self, const Quantizer& quantizer, Bytes precision, Integers position,
             Integers color, Integers shape) {
            Layer layer = make_layer(self, quantizer, precision, position, color, shape);
            const std::vector<uint8_t> bytes = self.encode(layer);
            return nb::bytes(bytes.data(), bytes.size());
          },
          nb::arg("quantizer"), nb::arg("precision"), nb::arg("position"), nb::arg("color"),
          nb::arg("shape"))
      .def(
          "tally",
          [](LayerEncoder& self, const Quantizer& quantizer, Bytes precision, Integers position,
             Integers color, Integers shape) {
            Layer layer = make_layer(self, quantizer, precision, position, color, shape);
            const std::vector<uint32_t> counts = self.tally(layer);
            return copy_array(counts.data(), {counts.size() / 16, size_t{16}});
          },
          nb::arg("quantizer"), nb::arg("precision"), nb::arg("position"), nb::arg("color"),
          nb::arg("shape"))
      .def(
          "measure",
          [](const LayerEncoder& self, const Quantizer& quantizer, Bytes precision,
             Integers position, Integers color, Integers shape) {
            const LayerBits bits =
                self.measure(make_layer(self, quantizer, precision, position, color, shape));
            return nb::make_tuple(bits.positions, bits.colors, bits.shapes);
          },
          nb::arg("quantizer"), nb::arg("precision"), nb::arg("position"), nb::arg("color"),
          nb::arg("shape"));

  // Decodes layers in order; returns Gaussians after each that was whole, and the arrays.
  m.def(
      "decode_layers",
      [](const Quantizer& quantizer, std::vector<nb::bytes> layers, int announced, size_t most,
         int threads) {
        Layer all;
        std::vector<size_t> ends;
        std::vector<LayerBytes> parts;
        for (const nb::bytes& part : layers) {
          parts.emplace_back(static_cast<const uint8_t*>(part.data()), part.size());
        }
        {
          nb::gil_scoped_release release;
          decode_layers(quantizer, parts, announced, most, threads, all, ends);
        }
        return nb::make_tuple(ends, floats(quantizer, all));
      },
      nb::arg("quantizer"), nb::arg("layers"), nb::arg("announced"), nb::arg("most"),
      nb::arg("threads"));
}

}  // namespace gi
