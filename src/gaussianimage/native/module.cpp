// The Python module gaussianimage._native.
#include <nanobind/nanobind.h>

#include "bindings/common.h"
#include "bindings/without_gil.h"

// Python calls the function below first, not nanobind's: nanobind's would share one state between
// interpreters that may have a lock each, and wait for ever.
#define PyInit__native init_in_main_interpreter

NB_MODULE(_native, m) {
  m.doc() = "The native engine; private, use gaussianimage's public functions.";
  gi::bind_decoder(m);
  gi::bind_engine(m);
  gi::bind_eye(m);
  gi::bind_grain(m);
  gi::bind_layers(m);
  gi::bind_optimizer(m);
  gi::bind_paper(m);
  gi::bind_rans(m);
  gi::bind_rdo(m);
  gi::bind_stop_flag(m);
  gi::prepare_for_exit(m);
}

#undef PyInit__native

extern "C" NB_EXPORT PyObject* PyInit__native() {
  // The main interpreter's number is 0. The stable ABI has no PyInterpreterState_Main.
  if (PyInterpreterState_GetID(PyInterpreterState_Get()) != 0) {
    PyErr_SetString(PyExc_ImportError, "gaussianimage does not work in subinterpreters");
    return nullptr;
  }
  return init_in_main_interpreter();
}
