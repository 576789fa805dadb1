// The Python module gaussianimage._native.
#include <nanobind/nanobind.h>

#include "dispatch.h"

NB_MODULE(_native, m) {
  m.doc() = "The native engine; private, use gaussianimage's public functions.";
  m.def("instruction_set", &gi::instruction_set,
        "The instruction set in use: 'baseline', 'avx2' or 'avx512'.");
}
