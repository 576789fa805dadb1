// Runs long calls from Python without the interpreter's lock, and stops them for signals.
#pragma once

#include <atomic>

#include "base/function_ref.h"

namespace nanobind {
class module_;
}

namespace gi {

// A flag that stops calls. Only Python's main thread sees signals; its handler can set the flag
// that the calls of another thread obey.
class StopFlag {
 public:
  void set() { set_.store(true, std::memory_order_relaxed); }
  void clear() { set_.store(false, std::memory_order_relaxed); }
  bool is_set() const { return set_.load(std::memory_order_relaxed); }

  // Makes the calls of this thread obey a flag from now on, or no flag if it is null. Returns the
  // previous flag.
  static StopFlag* obey(StopFlag* flag);

 private:
  std::atomic<bool> set_{false};
};

// Runs `task` while other Python threads run. A signal whose handler raises stops it within some 50
// ms; the handler's error is thrown as a nanobind::python_error. The StopFlag of this thread stops
// it with KeyboardInterrupt, and so does `stop`, which another thread sets. The handler of a signal
// may make a call in the middle of another call.
void without_gil(FunctionRef<void()> task, const std::atomic<bool>* stop = nullptr);

void bind_stop_flag(nanobind::module_& m);

// Makes threads that are in a call when the interpreter ends stay in that call.
void prepare_for_exit(nanobind::module_& m);

}  // namespace gi
