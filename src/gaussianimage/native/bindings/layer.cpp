// Python's view of the layer coder.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/vector.h>

#include <stdexcept>

#include "base/pool.h"
#include "bindings/common.h"
#include "bindings/layer_arrays.h"
#include "bindings/without_gil.h"
#include "layer/decoder.h"
#include "layer/dequantize.h"
#include "layer/encoder.h"
#include "layer/quantized_gaussian.h"
#include "simd/dispatch.h"

namespace nb = nanobind;

namespace gi {
namespace {

using MeanArray = nb::ndarray<const double, nb::shape<-1, 2>, nb::c_contig, nb::device::cpu>;

Quantizer make_quantizer(int height, int width, int channels, double color_step,
                         double shape_step) {
  if (height < 1 || height > max_side || width < 1 || width > max_side || channels < 1 ||
      channels > max_channels || !(color_step > 1e-6 && color_step < 1e3) ||
      !(shape_step > 1e-3 && shape_step < 1e2)) {
    throw nb::value_error("a quantizer's parameter is out of range");
  }
  return {height, width, channels, color_step, shape_step};
}

// Makes a layer for an encoder. The quantizer must have the encoder's number of channels.
Layer make_layer(const LayerEncoder& encoder, const Quantizer& quantizer,
                 const ByteArray& precision, const IntegerArray& position,
                 const IntegerArray& color, const IntegerArray& shape) {
  if (quantizer.channels != encoder.quantizer().channels) {
    throw nb::value_error("the quantizer is not the encoder's");
  }
  return make_layer(quantizer, precision, position, color, shape);
}

// Returns means, Cholesky factors and colors of all Gaussians of a layer.
nb::tuple floats(const Quantizer& quantizer, const Layer& layer, int threads) {
  const size_t n = layer.count();
  auto means = make_array<double>({n, 2});
  auto cholesky = make_array<double>({n, 3});
  auto colors = make_array<float>({n, static_cast<size_t>(quantizer.channels)});
  without_gil(
      [&] { dequantize(quantizer, layer, threads, means.data(), cholesky.data(), colors.data()); });
  return nb::make_tuple(means, cholesky, colors);
}

// Returns the positions (n, 2) whose centers are nearest to means in pixels.
nb::object nearest_centers(const Quantizer& quantizer, MeanArray means, ByteArray precision,
                           IntegerArray color, IntegerArray shape) {
  const size_t n = means.shape(0);
  const std::vector<int32_t> corners(2 * n);
  Layer layer =
      make_layer(quantizer, precision, IntegerArray(corners.data(), {n, 2}), color, shape);
  validate(quantizer, layer);
  for (size_t i = 0; i < n; ++i) {
    QuantizedGaussian gaussian = read_gaussian(layer, i, quantizer.channels);
    set_center(quantizer, gaussian, {means.data()[2 * i], means.data()[2 * i + 1]});
    layer.position[2 * i] = gaussian.x;
    layer.position[2 * i + 1] = gaussian.y;
  }
  return copy_array(layer.position.data(), {n, size_t{2}});
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
      .def("nearest_centers", &nearest_centers, nb::arg("means"), nb::arg("precision"),
           nb::arg("color"), nb::arg("shape"))
      .def(
          "dequantize",
          [](const Quantizer& self, ByteArray precision, IntegerArray position, IntegerArray color,
             IntegerArray shape) {
            const Layer layer = make_layer(self, precision, position, color, shape);
            validate(self, layer);
            return floats(self, layer, 1);
          },
          nb::arg("precision"), nb::arg("position"), nb::arg("color"), nb::arg("shape"));

  nb::class_<LayerEncoder>(m, "LayerEncoder")
      .def(nb::init<const Quantizer&, int>(), nb::arg("quantizer"), nb::arg("layers"))
      .def(
          "encode",
          [](LayerEncoder& self, const Quantizer& quantizer, ByteArray precision,
             IntegerArray position, IntegerArray color, IntegerArray shape) {
            Layer layer = make_layer(self, quantizer, precision, position, color, shape);
            std::vector<uint8_t> bytes;
            without_gil([&] { bytes = self.encode(layer); });
            return nb::bytes(bytes.data(), bytes.size());
          },
          nb::arg("quantizer"), nb::arg("precision"), nb::arg("position"), nb::arg("color"),
          nb::arg("shape"))
      .def(
          "tally",
          [](LayerEncoder& self, const Quantizer& quantizer, ByteArray precision,
             IntegerArray position, IntegerArray color, IntegerArray shape) {
            Layer layer = make_layer(self, quantizer, precision, position, color, shape);
            std::vector<uint32_t> counts;
            without_gil([&] { counts = self.tally(layer); });
            return copy_array(counts.data(), {counts.size() / 16, size_t{16}});
          },
          nb::arg("quantizer"), nb::arg("precision"), nb::arg("position"), nb::arg("color"),
          nb::arg("shape"))
      .def(
          "measure",
          [](const LayerEncoder& self, const Quantizer& quantizer, ByteArray precision,
             IntegerArray position, IntegerArray color, IntegerArray shape, bool raw) {
            const LayerBits bits =
                self.measure(make_layer(self, quantizer, precision, position, color, shape), raw);
            return nb::make_tuple(bits.positions, bits.colors, bits.shapes);
          },
          nb::arg("quantizer"), nb::arg("precision"), nb::arg("position"), nb::arg("color"),
          nb::arg("shape"), nb::arg("raw") = false);

  // Decodes layers in order. Returns the number of Gaussians after each complete layer, and the
  // arrays.
  m.def(
      "decode_layers",
      [](const Quantizer& quantizer, nb::list payloads, int announced, size_t most, int threads) {
        const std::vector<nb::bytes> layers = list_bytes(payloads);
        Layer all;
        std::vector<size_t> ends;
        std::vector<LayerBytes> parts;
        for (const nb::bytes& part : layers) {
          parts.emplace_back(static_cast<const uint8_t*>(part.data()), part.size());
        }
        without_gil(
            [&] { LayerDecoder().decode(quantizer, parts, announced, most, threads, all, ends); });
        return nb::make_tuple(ends, floats(quantizer, all, resolve_threads(threads)));
      },
      nb::arg("quantizer"), nb::arg("layers"), nb::arg("announced"), nb::arg("most"),
      nb::arg("threads"));
}

}  // namespace gi
