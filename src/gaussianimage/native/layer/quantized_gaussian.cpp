#include "layer/quantized_gaussian.h"

#include <algorithm>
#include <cmath>

namespace gi {

void set_amplitude(const Quantizer& quantizer, QuantizedGaussian& gaussian, int amplitude) {
  const double ratio = shape_step(quantizer, gaussian.amplitude) / shape_step(quantizer, amplitude);
  for (int32_t& level : gaussian.shape) level = static_cast<int32_t>(std::lrint(level * ratio));
  gaussian.amplitude = amplitude;
}

void set_precision(const Quantizer& quantizer, QuantizedGaussian& gaussian, int precision) {
  const double ratio = std::ldexp(1.0, gaussian.precision - precision);
  int64_t columns, rows;
  grid_size(quantizer, precision, columns, rows);
  gaussian.x =
      static_cast<int32_t>(std::min<double>((gaussian.x + 0.5) * ratio, double(columns - 1)));
  gaussian.y = static_cast<int32_t>(std::min<double>((gaussian.y + 0.5) * ratio, double(rows - 1)));
  gaussian.precision = precision;
}

QuantizedGaussian read_gaussian(const Layer& layer, size_t i, int channels) {
  QuantizedGaussian gaussian{};
  const int32_t* color = layer.color.data() + static_cast<size_t>(channels) * i;
  gaussian.precision = layer.precision[i];
  gaussian.amplitude = amplitude_class(color, channels);
  gaussian.x = layer.position[2 * i];
  gaussian.y = layer.position[2 * i + 1];
  std::copy_n(color, channels, gaussian.color);
  std::copy_n(layer.shape.data() + 3 * i, 3, gaussian.shape);
  return gaussian;
}

bool same_geometry(const QuantizedGaussian& a, const QuantizedGaussian& b) {
  return a.precision == b.precision && a.amplitude == b.amplitude && a.x == b.x && a.y == b.y &&
         std::equal(a.shape, a.shape + 3, b.shape);
}

}  // namespace gi
