// Classes of pixels by their alpha.
#pragma once

#include <cstdint>

namespace gi {

enum AlphaClass : uint8_t {
  transparent,  // alpha is 0
  opaque,       // alpha is full
  between,      // alpha is neither
  as_drawn,     // only of drawn pixels: the classes under the pixel differ, or there is no map
};

}  // namespace gi
