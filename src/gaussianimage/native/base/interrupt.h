// Stops a long call: for a signal that Python must handle, or at the end of the process.
//
// A call from Python runs in `without_gil` (bindings/without_gil.h). Every loop that takes long
// calls `check_interrupt` every few milliseconds, on all threads of the call; `parallel` calls it
// before every task. The thread that Python called checks for signals and tells the other threads.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>

namespace gi {

// Thrown where a call stops. It must reach `without_gil`, which raises Python's error.
struct Interrupted {};

// A call that can be stopped.
class Interruptible {
 public:
  // Throws Interrupted if the call must stop.
  void check() {
    look();
    if (stopped()) throw Interrupted{};
  }

  // Checks without throwing, for a thread that must wait for other threads first.
  void look();

  bool stopped() const { return stop_.load(std::memory_order_relaxed); }
  void stop() { stop_.store(true, std::memory_order_relaxed); }

  // The call that this thread works for; null if that call cannot be stopped.
  static Interruptible* current();

  // Makes this thread work for `call` as long as the scope lives.
  class Scope {
   public:
    explicit Scope(Interruptible* call);
    ~Scope();
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;

   private:
    Interruptible* const before_;
  };

 protected:
  Interruptible() = default;
  ~Interruptible() = default;

 private:
  // Handles signals, on the thread that made the call. Returns false if the call must stop.
  virtual bool handle_signals() = 0;
  virtual bool is_own_thread() const = 0;

  using Clock = std::chrono::steady_clock;
  static constexpr std::chrono::milliseconds interval{20};
  std::atomic<bool> stop_{false};
  Clock::time_point next_ = Clock::now() + interval;  // used by the thread that made the call
};

// Throws Interrupted if the call that this thread works for must stop.
inline void check_interrupt() {
  if (Interruptible* call = Interruptible::current()) call->check();
}

// Runs body(i) for i in 0 … count - 1, and checks for an interrupt now and then.
template <typename Body>
__attribute__((always_inline)) inline void for_many(size_t count, Body&& body) {
  constexpr size_t some = 16384;  // items of some nanoseconds each
  for (size_t begin = 0; begin < count;) {
    check_interrupt();
    const size_t end = count - begin < some ? count : begin + some;
    for (; begin < end; ++begin) body(begin);
  }
}

}  // namespace gi
