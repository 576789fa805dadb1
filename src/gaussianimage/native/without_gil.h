// Long calls from Python: without the interpreter's lock, and stopped by signals.
#pragma once

#include <atomic>

#include "function_ref.h"

namespace nanobind {
class module_;
}

namespace gi {

// Runs `task` while other Python threads run. A signal whose handler raises stops it, within
// some 50 ms, and its error is thrown as a nanobind::python_error. A call from a signal's handler
// that came in the middle of another call is fine.
// `stop`: becomes true when another thread wants the call to end with a KeyboardInterrupt.
void without_gil(FunctionRef<void()> task, const std::atomic<bool>* stop = nullptr);

// Sees to threads that are in a call when the interpreter ends: they stay in it.
void prepare_for_exit(nanobind::module_& m);

}  // namespace gi
