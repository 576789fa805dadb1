// Numbers of blocks from Python.
#pragma once

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include <cstdint>

#include "eye/blocks.h"

namespace gi {

using BlockNumbers =
    nanobind::ndarray<const int64_t, nanobind::numpy, nanobind::ndim<1>, nanobind::c_contig>;

// Raises ValueError if the picture lacks one of the blocks.
inline void check_blocks(const BlockSource& source, const BlockNumbers& numbers) {
  for (size_t i = 0; i < numbers.size(); ++i) {
    if (numbers.data()[i] < 0 || numbers.data()[i] >= source.count()) {
      throw nanobind::value_error("the picture has no such block");
    }
  }
}

}  // namespace gi
