#include "bindings/without_gil.h"

#include <nanobind/nanobind.h>

#include <atomic>
#include <chrono>
#include <exception>
#include <thread>
#include <utility>

#if defined(__unix__) || defined(__APPLE__)
#include <pthread.h>
#endif

#include "base/interrupt.h"

namespace nb = nanobind;

namespace gi {
namespace {

// A thread that asks for the interpreter's lock while the interpreter ends is ended by Python 3.13
// and older, which aborts the process if there is C++ on its stack. So from `exiting` on threads
// that don't have the lock never ask for it, but for those that were about to get it.
std::atomic<bool> exiting{false};
std::atomic<int> returning{0};

thread_local StopFlag* obeyed = nullptr;

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
    if (flag_ && flag_->is_set()) return false;
    if (!may_have_signals_) return !exiting.load();
    if (!take_gil()) return false;
    bool good = PyErr_CheckSignals() == 0;
    if (good && !asked_) {
      // Others would take the lock for nothing.
      asked_ = true;
      good = ask_for_main_thread();
    }
    PyEval_SaveThread();
    return good && !(flag_ && flag_->is_set());
  }

  // False, with Python's error set, if a signal came to the Python code that is asked.
  bool ask_for_main_thread() {
    try {
      const nb::module_ threading = nb::module_::import_("threading");
      may_have_signals_ =
          threading.attr("get_ident")().equal(threading.attr("main_thread")().attr("ident"));
      return true;
    } catch (nb::python_error& error) {
      error.restore();
      return false;
    }
  }

  const std::thread::id own_;
  const std::atomic<bool>* const stop_;
  const StopFlag* const flag_ = obeyed;
  PyThreadState* const state_;
  bool asked_ = false, may_have_signals_ = true;
};

void run(FunctionRef<void()> task, const std::atomic<bool>* stop) {
  // Calls that are too short to look at the flag would never see it.
  if (obeyed && obeyed->is_set()) {
    PyErr_SetNone(PyExc_KeyboardInterrupt);
    throw nb::python_error();
  }
  std::exception_ptr error;
  bool interrupted = false;
  {
    Call call(stop);
    const Interruptible::Scope scope(&call);
    try {
      task();
    } catch (const Interrupted&) {
    } catch (...) {
      error = std::current_exception();
    }
    // Also of a task that had no more to do when the signal came: its error is set.
    interrupted = call.stopped();
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

StopFlag* StopFlag::obey(StopFlag* flag) { return std::exchange(obeyed, flag); }

void bind_stop_flag(nb::module_& m) {
  nb::class_<StopFlag>(m, "StopFlag")
      .def(nb::init<>())
      .def("set", &StopFlag::set)
      .def("clear", &StopFlag::clear)
      .def("is_set", &StopFlag::is_set);
  m.def("obey", &StopFlag::obey, nb::arg("flag").none(), nb::rv_policy::reference);
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
