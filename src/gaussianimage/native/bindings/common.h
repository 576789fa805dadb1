// What the binding files share: the functions that bind each topic, and arrays that NumPy owns.
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
void bind_eye(nanobind::module_& m);
void bind_grain(nanobind::module_& m);
void bind_layers(nanobind::module_& m);
void bind_optimizer(nanobind::module_& m);
void bind_paper(nanobind::module_& m);
void bind_rans(nanobind::module_& m);
void bind_rdo(nanobind::module_& m);

// Top, left, height and width, in pixels.
using Crop = std::array<int, 4>;
// Height and width, in pixels.
using Size = std::array<int, 2>;

bool lies_within(const Crop& crop, const Size& size);

// Returns the crop as a part of the picture; without a crop, the whole picture. Raises ValueError
// if the crop is not within the picture.
Part make_part(const std::optional<Crop>& crop, int height, int width);

// Returns the bytes objects of a list. Functions take the list itself, because nanobind does not
// raise MemoryError when it fills a vector.
inline std::vector<nanobind::bytes> list_bytes(const nanobind::list& list) {
  std::vector<nanobind::bytes> found;
  found.reserve(list.size());
  for (const nanobind::handle item : list) found.push_back(nanobind::cast<nanobind::bytes>(item));
  return found;
}

// Makes an uninitialized array that Python owns.
template <typename T>
nanobind::ndarray<nanobind::numpy, T> make_array(std::initializer_list<size_t> shape) {
  size_t size = 1;
  for (size_t n : shape) size *= n;
  std::unique_ptr<T[]> data(new T[std::max<size_t>(size, 1)]);
  nanobind::capsule owner(data.get(), [](void* p) noexcept { delete[] static_cast<T*>(p); });
  return nanobind::ndarray<nanobind::numpy, T>(data.release(), shape, owner);
}

// Copies values to an array that Python owns. It returns an object, because nanobind would take an
// array that a property returns for a view of the instance.
template <typename T>
nanobind::object copy_array(const T* values, std::initializer_list<size_t> shape) {
  auto array = make_array<T>(shape);
  std::copy_n(values, array.size(), array.data());
  return nanobind::cast(array);
}

}  // namespace gi
