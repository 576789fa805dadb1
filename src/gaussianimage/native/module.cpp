// The Python module gaussianimage._native.
#include <nanobind/nanobind.h>

#include "bindings.h"

NB_MODULE(_native, m) {
  m.doc() = "The native engine; private, use gaussianimage's public functions.";
  gi::bind_decoder(m);
  gi::bind_engine(m);
  gi::bind_layers(m);
  gi::bind_optimizer(m);
  gi::bind_rans(m);
  gi::bind_refiner(m);
}
