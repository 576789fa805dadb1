// Python's view of rendering and the gradient.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/array.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>

#include <string>

#include "base/pool.h"
#include "bindings/common.h"
#include "bindings/without_gil.h"
#include "fit/blur.h"
#include "fit/density.h"
#include "fit/draw_pixels.h"
#include "render/render.h"
#include "simd/dispatch.h"

namespace nb = nanobind;

namespace gi {
namespace {

using Means = nb::ndarray<const double, nb::numpy, nb::shape<-1, 2>, nb::c_contig>;
using Cholesky = nb::ndarray<const double, nb::numpy, nb::shape<-1, 3>, nb::c_contig>;
using Colors = nb::ndarray<const float, nb::numpy, nb::ndim<2>, nb::c_contig>;
using Residual = nb::ndarray<const float, nb::numpy, nb::ndim<3>, nb::c_contig>;
using AlphaClasses = nb::ndarray<const uint8_t, nb::numpy, nb::ndim<2>, nb::c_contig>;
using OutMap = nb::ndarray<float, nb::numpy, nb::ndim<2>, nb::c_contig>;

// Returns a map (H, W) of a picture (H, W, C), which `measure` makes.
template <auto measure>
nb::ndarray<nb::numpy, float> map_of_picture(const Residual& values, int threads) {
  const size_t height = values.shape(0), width = values.shape(1), channels = values.shape(2);
  if (values.size() == 0 || channels > max_channels) {
    throw nb::value_error("values must be (H, W, C) with 1 to 4 channels");
  }
  auto map = make_array<float>({height, width});
  without_gil([&] {
    measure(values.data(), static_cast<ptrdiff_t>(height), static_cast<ptrdiff_t>(width),
            static_cast<int>(channels), resolve_threads(threads), map.data());
  });
  return map;
}

Source make_source(const Means& means, const Cholesky& cholesky, const Colors& colors,
                   double q_max) {
  const size_t n = means.shape(0), channels = colors.shape(1);
  if (cholesky.shape(0) != n || colors.shape(0) != n) {
    throw nb::value_error("means, cholesky and colors must have the same number of rows");
  }
  if (n > 0x7fffffff / 8 || channels < 1 || channels > max_channels) {
    throw nb::value_error("too many Gaussians, or not 1 to 4 channels");
  }
  return {
      means.data(), cholesky.data(), colors.data(), static_cast<int>(n), static_cast<int>(channels),
      q_max};
}

Window make_window(int height, int width) {
  if (height < 1 || width < 1 || height > max_window_side || width > max_window_side) {
    throw nb::value_error("height and width must be from 1 to 16777216");
  }
  return {0, 0, height, width};
}

// Draws `crop` of a picture, or the whole picture, to pixels of type T, the type of `kind`.
template <typename T, PixelKind kind>
nb::object render_to(Means means, Cholesky cholesky, Colors colors, double q_max, int height,
                     int width, std::optional<Crop> crop, int threads) {
  static_assert(sizeof(T) == bytes_per_value(kind));
  const Source source = make_source(means, cholesky, colors, q_max);
  const Window window = make_window(height, width);
  const Part part = make_part(crop, height, width);
  auto pixels = make_array<T>({static_cast<size_t>(part.height), static_cast<size_t>(part.width),
                               static_cast<size_t>(source.channels)});
  constexpr float black[max_channels] = {};
  const PixelSink sink(kind, false, source.channels, part, pixels.data());
  without_gil([&] { render(source, window, black, Work{}, threads, sink); });
  return nb::cast(pixels);
}

// Draws as `render_to`, and converts the sums to samples of a picture. An even number of channels
// ends with alpha, by which the others are divided; `classes` are its classes, or none.
template <typename T, PixelKind kind>
nb::object render_samples_to(const Source& source, const Window& window, const Part& part,
                             int threads, const std::optional<AlphaClasses>& classes) {
  static_assert(sizeof(T) == bytes_per_value(kind));
  const auto height = static_cast<size_t>(part.height), width = static_cast<size_t>(part.width);
  const bool has_alpha = source.channels % 2 == 0;
  if (classes && !(has_alpha && classes->shape(0) == height && classes->shape(1) == width)) {
    throw nb::value_error("classes must be those of the pixels of a picture with alpha");
  }
  auto pixels = make_array<T>({height, width, static_cast<size_t>(source.channels)});
  constexpr float black[max_channels] = {};
  const PixelSink sink(kind, has_alpha, source.channels, part, pixels.data(),
                       classes ? classes->data() : nullptr);
  without_gil([&] { render(source, window, black, Work{}, threads, sink); });
  return nb::cast(pixels);
}

nb::object render_samples(Means means, Cholesky cholesky, Colors colors, double q_max, int height,
                          int width, std::optional<Crop> crop, int threads, int kind,
                          std::optional<AlphaClasses> classes) {
  const Source source = make_source(means, cholesky, colors, q_max);
  const Window window = make_window(height, width);
  const Part part = make_part(crop, height, width);
  switch (static_cast<PixelKind>(kind)) {
    case PixelKind::bytes:
      return render_samples_to<uint8_t, PixelKind::bytes>(source, window, part, threads, classes);
    case PixelKind::words:
      return render_samples_to<uint16_t, PixelKind::words>(source, window, part, threads, classes);
    case PixelKind::floats:
      return render_samples_to<float, PixelKind::floats>(source, window, part, threads, classes);
    default:
      throw nb::value_error("kind");
  }
}

}  // namespace

bool lies_within(const Crop& crop, const Size& size) {
  const auto [top, left, height, width] = crop;
  return top >= 0 && left >= 0 && height >= 1 && width >= 1 && height <= size[0] - top &&
         width <= size[1] - left;
}

Part make_part(const std::optional<Crop>& crop, int height, int width) {
  if (!crop) return {0, 0, height, width};
  if (!lies_within(*crop, {height, width})) {
    throw nb::value_error("crop must lie within the picture");
  }
  return {(*crop)[0], (*crop)[1], (*crop)[2], (*crop)[3]};
}

void bind_engine(nb::module_& m) {
  m.def("render_bytes", &render_to<uint8_t, PixelKind::bytes>, nb::arg("means"),
        nb::arg("cholesky"), nb::arg("colors"), nb::arg("q_max"), nb::arg("height"),
        nb::arg("width"), nb::arg("crop").none(), nb::arg("threads"));
  m.def("render_floats", &render_to<float, PixelKind::sums>, nb::arg("means"), nb::arg("cholesky"),
        nb::arg("colors"), nb::arg("q_max"), nb::arg("height"), nb::arg("width"),
        nb::arg("crop").none(), nb::arg("threads"));
  m.def("render_samples", &render_samples, nb::arg("means"), nb::arg("cholesky"), nb::arg("colors"),
        nb::arg("q_max"), nb::arg("height"), nb::arg("width"), nb::arg("crop").none(),
        nb::arg("threads"), nb::arg("kind"), nb::arg("classes").none());
  m.def(
      "work",
      [](Means means, Cholesky cholesky, Colors colors, double q_max, int height, int width,
         std::optional<Crop> crop, int threads) {
        const Source source = make_source(means, cholesky, colors, q_max);
        const Window window = make_window(height, width);
        const Part part = make_part(crop, height, width);
        uint64_t result = 0;
        without_gil([&] { result = work(source, window, part, threads).part; });
        return result;
      },
      nb::arg("means"), nb::arg("cholesky"), nb::arg("colors"), nb::arg("q_max"), nb::arg("height"),
      nb::arg("width"), nb::arg("crop").none(), nb::arg("threads"));
  m.def(
      "gradient",
      [](Means means, Cholesky cholesky, Colors colors, double q_max, Residual residual,
         int threads) {
        const Source source = make_source(means, cholesky, colors, q_max);
        if (residual.shape(2) != colors.shape(1)) {
          throw nb::value_error("residual and colors must have the same number of channels");
        }
        const Window window =
            make_window(static_cast<int>(residual.shape(0)), static_cast<int>(residual.shape(1)));
        const size_t n = means.shape(0);
        auto d_means = make_array<double>({n, 2});
        auto d_covariance = make_array<double>({n, 3});
        auto d_colors = make_array<double>({n, colors.shape(1)});
        without_gil([&] {
          gradient(source, window, threads, residual.data(), d_means.data(), d_covariance.data(),
                   d_colors.data());
        });
        return nb::make_tuple(d_means, d_covariance, d_colors);
      },
      nb::arg("means"), nb::arg("cholesky"), nb::arg("colors"), nb::arg("q_max"),
      nb::arg("residual"), nb::arg("threads"));
  m.def(
      "blur_twice",
      [](OutMap values, int radius, int threads) {
        if (radius < 1 || radius > 2) throw nb::value_error("radius must be 1 or 2");
        if (values.size() == 0) return;
        without_gil([&] {
          blur_twice(values.data(), static_cast<ptrdiff_t>(values.shape(0)),
                     static_cast<ptrdiff_t>(values.shape(1)), radius, resolve_threads(threads));
        });
      },
      nb::arg("values").noconvert(), nb::arg("radius"), nb::arg("threads"));
  m.def("gradient_magnitudes", &map_of_picture<measure_gradient>, nb::arg("values"),
        nb::arg("threads"));
  m.def(
      "draw_pixels",
      [](nb::ndarray<const float, nb::numpy, nb::ndim<2>, nb::c_contig> values,
         nb::ndarray<const double, nb::numpy, nb::ndim<1>, nb::c_contig> shares) {
        if (values.size() == 0) throw nb::value_error("values is empty");
        auto pixels = make_array<int64_t>({shares.size()});
        without_gil([&] {
          draw_pixels(values.data(), values.size(), shares.data(), shares.size(), pixels.data());
        });
        return pixels;
      },
      nb::arg("values"), nb::arg("shares"));
  m.def("compiler", [] {
#if defined(__clang__)
    return "clang " __clang_version__;
#elif defined(__GNUC__)
    return "gcc " __VERSION__;
#else
    return "not known";
#endif
  });
  // The number of CPUs that this process may run on: what 0 threads mean.
  m.def("cpus", [] { return resolve_threads(0); });
  m.def("instruction_set", [] { return std::string(kernels().name); });
  m.def(
      "select_instruction_set",
      [](const std::string& name) { return select_kernels(name.c_str()); }, nb::arg("name"));
}

}  // namespace gi
