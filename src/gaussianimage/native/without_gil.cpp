#include "without_gil.h"

#include <nanobind/nanobind.h>

#include <atomic>
#include <chrono>
#include <exception>
#include <thread>

#if defined(__unix__) || defined(__APPLE__)
#include <pthread.h>
#endif

#include "interrupt.h"

namespace nb = nanobind;

namespace gi {
namespace {

// A thread that asks for the interpreter's lock while the interpreter ends is ended by Python 3.13
// and older, which aborts the process if there is C++ on its stack. So from `exiting` on threads
// that don't have the lock never ask for it, but for those that were about to get it.
std::atomic<bool> exiting{false};
std::atomic<int> returning{0};

[[noreturn]] void stay_here() {
  for (;;) std::this_thread::sleep_for(std::chrono::hours(1));
}

class Call final : public Interruptible {
 public:
  explicit Call(const std::atomic<bool>* stop)
      : own_(std::this_thread::get_id()), stop_(stop), state_(PyEval_SaveThread()) {}
  Call(const Call&) = delete;
  Call& operator=(const Call&) = delete;

  // Takes the lock again; false if the interpreter is ending, and then it can't be had.
  bool take_gil() {
    returning.fetch_add(1);
    if (exiting.load()) {
      returning.fetch_sub(1);
      return false;
    }
    PyEval_RestoreThread(state_);
    returning.fetch_sub(1);
    return true;
  }

 private:
  bool is_own_thread() const override { return std::this_thread::get_id() == own_; }

  bool handle_signals() override {
    if (stop_ && stop_->load()) return false;
    if (!may_have_signals_) return !exiting.load();
    if (!take_gil()) return false;
    if (!asked_) {
      // Others would take the lock for nothing.
      asked_ = true;
      may_have_signals_ = is_main_thread();
    }
    const bool good = !may_have_signals_ || PyErr_CheckSignals() == 0;
    PyEval_SaveThread();
    return good;
  }

  static bool is_main_thread() {
    try {
      const nb::module_ threading = nb::module_::import_("threading");
      return threading.attr("get_ident")().equal(threading.attr("main_thread")().attr("ident"));
    } catch (nb::python_error&) {
      return true;
    }
  }

  const std::thread::id own_;
  const std::atomic<bool>* const stop_;
  PyThreadState* const state_;
  bool asked_ = false, may_have_signals_ = true;
};

void run(FunctionRef<void()> task, const std::atomic<bool>* stop) {
  std::exception_ptr error;
  bool interrupted = false;
  {
    Call call(stop);
    const Interruptible::Scope scope(&call);
    try {
      task();
    } catch (const Interrupted&) {
      interrupted = true;
    } catch (...) {
      error = std::current_exception();
    }
    if (!call.take_gil()) stay_here();
  }
  if (error) std::rethrow_exception(error);
  if (!interrupted) return;
  if (!PyErr_Occurred()) PyErr_SetNone(PyExc_KeyboardInterrupt);
  throw nb::python_error();
}

}  // namespace

void without_gil(FunctionRef<void()> task, const std::atomic<bool>* stop) {
  // While the interpreter ends: with the lock, as it could not be had again.
  if (exiting.load()) return task();
  if (!Interruptible::current()) return run(task, stop);
  // This thread is in a call already, which a signal has come to, and its memory is in use.
  std::exception_ptr error;
  {
    const nb::gil_scoped_release release;
    std::thread([&] {
      try {
        task();
      } catch (...) {
        error = std::current_exception();
      }
    }).join();
  }
  if (error) std::rethrow_exception(error);
}

void prepare_for_exit(nb::module_& m) {
  m.def("_end_calls", [] {
    exiting.store(true);
    nb::set_leak_warnings(false);  // what such threads hold is never given back
    const nb::gil_scoped_release release;
    while (returning.load() > 0) std::this_thread::yield();
  });
#if defined(__unix__) || defined(__APPLE__)
  // Threads that were about to return are not there after a fork.
  pthread_atfork(nullptr, nullptr, [] { returning.store(0); });
#endif
  nb::module_::import_("atexit").attr("register")(m.attr("_end_calls"));
}

}  // namespace gi
