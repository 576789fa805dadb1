// Makes layers from NumPy arrays.
#pragma once

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include "layer/layer.h"

namespace gi {

using ByteArray =
    nanobind::ndarray<const uint8_t, nanobind::numpy, nanobind::ndim<1>, nanobind::c_contig>;
using IntegerArray =
    nanobind::ndarray<const int32_t, nanobind::numpy, nanobind::ndim<2>, nanobind::c_contig>;

inline Layer make_layer(const Quantizer& quantizer, const ByteArray& precision,
                        const IntegerArray& position, const IntegerArray& color,
                        const IntegerArray& shape) {
  const size_t n = precision.shape(0), channels = static_cast<size_t>(quantizer.channels);
  if (position.shape(0) != n || position.shape(1) != 2 || color.shape(0) != n ||
      color.shape(1) != channels || shape.shape(0) != n || shape.shape(1) != 3) {
    throw nanobind::value_error("a layer's arrays don't fit together");
  }
  Layer layer;
  layer.precision.assign(precision.data(), precision.data() + n);
  layer.position.assign(position.data(), position.data() + 2 * n);
  layer.color.assign(color.data(), color.data() + channels * n);
  layer.shape.assign(shape.data(), shape.data() + 3 * n);
  return layer;
}

}  // namespace gi
