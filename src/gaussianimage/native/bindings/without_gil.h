// Long calls from Python: without the interpreter's lock, and stopped by signals.
#pragma once

#include <atomic>

#include "base/function_ref.h"

namespace nanobind {
class module_;
}

namespace gi {

// What stops calls beside signals: Python's main thread alone sees those, and its handler may set
// the flag that the calls of another thread obey.
class StopFlag {
 public:
  void set() { set_.store(true, std::memory_order_relaxed); }
  void clear() { set_.store(false, std::memory_order_relaxed); }
  bool is_set() const { return set_.load(std::memory_order_relaxed); }

  // Makes the calls of this thread obey a flag from now on; null: none. Returns the one before.
  static StopFlag* obey(StopFlag* flag);

 private:
  std::atomic<bool> set_{false};
};

// Runs `task` while other Python threads run. A signal whose handler raises stops it, within
// some 50 ms, and its error is thrown as a nanobind::python_error; so does the StopFlag of this
// thread, with KeyboardInterrupt. A call from a signal's handler that came in the middle of another
// call is fine.
// `stop`: becomes true when another thread wants the call to end with a KeyboardInterrupt.
void without_gil(FunctionRef<void()> task, const std::atomic<bool>* stop = nullptr);

void bind_stop_flag(nanobind::module_& m);

// Sees to threads that are in a call when the interpreter ends: they stay in it.
void prepare_for_exit(nanobind::module_& m);

}  // namespace gi
