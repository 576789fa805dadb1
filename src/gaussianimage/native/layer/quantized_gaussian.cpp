#include "layer/quantized_gaussian.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "layer/center_lattice.h"
#include "layer/dequantize.h"

namespace gi {
namespace {

// The grid of a precision class, and the side of its cells in pixels.
struct Grid {
  int64_t columns, rows;
  double cell;
};

Grid grid_of(const Quantizer& quantizer, const QuantizedGaussian& gaussian) {
  Grid grid{};
  grid_size(quantizer, gaussian.precision, grid.columns, grid.rows);
  grid.cell = std::ldexp(1.0, gaussian.precision - 4);
  return grid;
}

// d1 and d2 of section 4.2 of docs/format.md.
Point shears_of(const Quantizer& quantizer, const QuantizedGaussian& gaussian) {
  const double step = shape_step(quantizer, gaussian.amplitude);
  return {gaussian.shape[1] * step, gaussian.shape[2] * step};
}

// The inverse (m0, m1; m1, m2) of a covariance whose determinant is 1.
using Metric = std::array<double, 3>;

Metric metric_of(Point d) {
  const double r = std::sqrt(d.x * d.x + d.y * d.y);
  const Factor factor = make_factor(d.x, d.y, r, std::exp(2 * r), 1);
  return {factor.l21 * factor.l21 + factor.l22 * factor.l22, -factor.l11 * factor.l21,
          factor.l11 * factor.l11};
}

int32_t lattice_of(Point shears) { return center_lattices()[lattice_number(shears.x, shears.y)]; }

}  // namespace

Point center_of(const Quantizer& quantizer, const QuantizedGaussian& gaussian) {
  const Grid grid = grid_of(quantizer, gaussian);
  int32_t across, down;
  locate_center(lattice_of(shears_of(quantizer, gaussian)), static_cast<int32_t>(grid.columns),
                static_cast<int32_t>(grid.rows), gaussian.x, gaussian.y, across, down);
  return {across * (grid.cell / 128), down * (grid.cell / 128)};
}

void set_center(const Quantizer& quantizer, QuantizedGaussian& gaussian, Point center) {
  const Grid grid = grid_of(quantizer, gaussian);
  const Point d = shears_of(quantizer, gaussian);
  const Metric metric = metric_of(d);
  const CellPoint nearest =
      nearest_center(CenterLattice::unpack(lattice_of(d)), grid.columns, grid.rows,
                     center.x / grid.cell, center.y / grid.cell, metric.data());
  gaussian.x = nearest.x;
  gaussian.y = nearest.y;
}

CenterSteps center_steps(const Quantizer& quantizer, const QuantizedGaussian& gaussian) {
  const Grid grid = grid_of(quantizer, gaussian);
  const auto columns = static_cast<int32_t>(grid.columns), rows = static_cast<int32_t>(grid.rows);
  if (!in_whole_block(columns, rows, gaussian.x, gaussian.y))
    return {{grid.cell, 0}, {0, grid.cell}};
  const Point d = shears_of(quantizer, gaussian);
  const Metric metric = metric_of(d);
  const CenterLattice lattice = CenterLattice::unpack(lattice_of(d));
  const double width = grid.cell * lattice.width(), apart = grid.cell / lattice.width();
  // Of the points of the next column, the one that is nearest by the metric.
  const double shift = apart * lattice.shift / 16, best = -metric[1] / metric[2] * width;
  return {{width, shift + apart * std::round((best - shift) / apart)}, {0, apart}};
}

void set_amplitude(const Quantizer& quantizer, QuantizedGaussian& gaussian, int amplitude) {
  const Point center = center_of(quantizer, gaussian);
  const double ratio = shape_step(quantizer, gaussian.amplitude) / shape_step(quantizer, amplitude);
  for (int32_t& level : gaussian.shape) level = static_cast<int32_t>(std::lrint(level * ratio));
  gaussian.amplitude = amplitude;
  set_center(quantizer, gaussian, center);
}

void set_precision(const Quantizer& quantizer, QuantizedGaussian& gaussian, int precision) {
  const Point center = center_of(quantizer, gaussian);
  gaussian.precision = precision;
  set_center(quantizer, gaussian, center);
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
