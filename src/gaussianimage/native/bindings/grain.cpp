// Python's view of grain.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/array.h>
#include <nanobind/stl/optional.h>

#include "base/pool.h"
#include "bindings/common.h"
#include "bindings/without_gil.h"
#include "grain/add_grain.h"
#include "grain/grain_levels.h"

namespace nb = nanobind;

namespace gi {
namespace {

using Levels = nb::ndarray<const uint8_t, nb::numpy, nb::shape<-1, -1, grain_bands>, nb::c_contig>;
template <typename T>
using Pixels = nb::ndarray<T, nb::numpy, nb::ndim<3>, nb::c_contig>;

template <typename T>
void add_to_pixels(Pixels<T> pixels, Levels levels, Size size, int seed, int cell,
                   std::array<int, 3> brightness, Size drawn, Crop crop, int threads) {
  const Part part = make_part(crop, drawn[0], drawn[1]);
  Grain grain{size[0], size[1], seed, cell, {}, {}};
  std::copy_n(brightness.begin(), 3, grain.brightness);
  const bool fits = size[0] > 0 && size[1] > 0 && cell >= 3 && cell <= 8 && seed >= 0 &&
                    levels.shape(0) == static_cast<size_t>(grain.rows()) &&
                    levels.shape(1) == static_cast<size_t>(grain.columns()) &&
                    pixels.shape(0) == static_cast<size_t>(part.height) &&
                    pixels.shape(1) == static_cast<size_t>(part.width) && pixels.shape(2) >= 1 &&
                    pixels.shape(2) <= max_channels && has_whole_blocks(part, drawn[0], drawn[1]);
  if (!fits) throw nb::value_error("the grain does not fit the pixels");
  grain.levels.assign(levels.data(), levels.data() + levels.size());
  for (const uint8_t level : grain.levels) {
    if (level >= grain_levels) throw nb::value_error("a level of grain is above 15");
  }
  without_gil([&] {
    add_grain(grain, pixels.data(), static_cast<int>(pixels.shape(2)), part, drawn[0], drawn[1],
              resolve_threads(threads));
  });
}

template <typename T>
void bind_add_grain(nb::module_& m) {
  m.def("add_grain", &add_to_pixels<T>, nb::arg("pixels"), nb::arg("levels"), nb::arg("size"),
        nb::arg("seed"), nb::arg("cell"), nb::arg("brightness"), nb::arg("drawn"), nb::arg("crop"),
        nb::arg("threads"));
}

}  // namespace

void bind_grain(nb::module_& m) {
  m.def(
      "encode_grain_levels",
      [](Levels levels) {
        const auto bytes = encode_grain_levels(levels.data(), levels.shape(0), levels.shape(1));
        return nb::bytes(bytes.data(), bytes.size());
      },
      nb::arg("levels"));
  // Returns None if the bytes are not the levels of this many cells.
  m.def(
      "decode_grain_levels",
      [](nb::bytes data, size_t rows, size_t columns) -> nb::object {
        auto levels = make_array<uint8_t>({rows, columns, grain_bands});
        if (!decode_grain_levels(static_cast<const uint8_t*>(data.data()), data.size(), rows,
                                 columns, levels.data())) {
          return nb::none();
        }
        return nb::cast(levels);
      },
      nb::arg("data"), nb::arg("rows"), nb::arg("columns"));
  bind_add_grain<uint8_t>(m);
  bind_add_grain<uint16_t>(m);
  bind_add_grain<float>(m);
}

}  // namespace gi
