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

// Python 3.13 and older end a thread that asks for the interpreter's lock while the interpreter
// ends, which aborts the process if there is C++ on the thread's stack. So once `exiting` is true,
// threads without the lock do not ask for it, except those that `returning` counts.
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

  // Takes the lock again. Returns false if the interpreter is ending; then no thread can get the
  // lock.
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
      // Ask once: signals arrive only on the main thread, and taking the lock costs time.
      asked_ = true;
      good = ask_for_main_thread();
    }
    PyEval_SaveThread();
    return good && !(flag_ && flag_->is_set());
  }

  // Finds out whether this is the main thread. Returns false, with Python's error set, if a signal
  // interrupted the Python code that it calls.
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
  // Check here too, because a short call never checks the flag.
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
    // A task that had nothing left to do when the signal came counts as stopped: Python's error is
    // set.
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
  // While the interpreter ends the task keeps the lock, because it could not get it back.
  if (exiting.load()) return task();
  if (!Interruptible::current()) return run(task, stop);
  // This thread is in a call already, and a signal's handler makes another one. The task runs on a
  // new thread, because this thread's memory is in use.
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
    nb::set_leak_warnings(false);  // threads that stay in a call never release their objects
    const nb::gil_scoped_release release;
    while (returning.load() > 0) std::this_thread::yield();
  });
#if defined(__unix__) || defined(__APPLE__)
  // Threads that were about to return do not exist after a fork.
  pthread_atfork(nullptr, nullptr, [] { returning.store(0); });
#endif
  nb::module_::import_("atexit").attr("register")(m.attr("_end_calls"));
}

}  // namespace gi
