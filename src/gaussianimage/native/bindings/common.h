// What the binding files share: one function per topic, and arrays that NumPy owns.
#pragma once

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include <algorithm>
#include <array>
#include <initializer_list>
#include <memory>
#include <optional>
#include <vector>

#include "render/gaussians.h"

namespace gi {

void bind_decoder(nanobind::module_& m);
void bind_engine(nanobind::module_& m);
void bind_layers(nanobind::module_& m);
void bind_optimizer(nanobind::module_& m);
void bind_rans(nanobind::module_& m);
void bind_rdo(nanobind::module_& m);

// Top, left, height and width in pixels.
using Crop = std::array<int, 4>;
// Height and width.
using Size = std::array<int, 2>;

bool lies_within(const Crop& crop, const Size& size);

// A crop of a picture, or all of it. Throws a ValueError if it isn't within the picture.
Part make_part(const std::optional<Crop>& crop, int height, int width);

// The bytes objects of a list. Of a vector as an argument nanobind makes no MemoryError.
inline std::vector<nanobind::bytes> list_bytes(const nanobind::list& list) {
  std::vector<nanobind::bytes> found;
  found.reserve(list.size());
  for (const nanobind::handle item : list) found.push_back(nanobind::cast<nanobind::bytes>(item));
  return found;
}

// A new, uninitialized array that Python owns.
template <typename T>
nanobind::ndarray<nanobind::numpy, T> make_array(std::initializer_list<size_t> shape) {
  size_t size = 1;
  for (size_t n : shape) size *= n;
  std::unique_ptr<T[]> data(new T[std::max<size_t>(size, 1)]);
  nanobind::capsule owner(data.get(), [](void* p) noexcept { delete[] static_cast<T*>(p); });
  return nanobind::ndarray<nanobind::numpy, T>(data.release(), shape, owner);
}

// A copy that Python owns, as an object: a property that returned the array itself would be taken
// for a view of the instance.
template <typename T>
nanobind::object copy_array(const T* values, std::initializer_list<size_t> shape) {
  auto array = make_array<T>(shape);
  std::copy_n(values, array.size(), array.data());
  return nanobind::cast(array);
}

}  // namespace gi
