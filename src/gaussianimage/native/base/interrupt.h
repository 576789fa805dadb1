// How a long call is stopped: by a signal that Python wants to see, or by the end of the process.
//
// A call from Python runs in `without_gil` of bindings/common.h. Whatever it does for long calls
// `check_interrupt` every few milliseconds, on all of its threads; `parallel` does so before every
// task. The thread that Python called looks at signals, the others find out from it.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>

namespace gi {

// Thrown where a call stops. It has to reach `without_gil`, which raises Python's error.
struct Interrupted {};

// A call that can be stopped.
class Interruptible {
 public:
  // Throws Interrupted if the call has to stop.
  void check() {
    look();
    if (stopped()) throw Interrupted{};
  }

  // The same without throwing, for a thread that must wait for others first.
  void look();

  bool stopped() const { return stop_.load(std::memory_order_relaxed); }
  void stop() { stop_.store(true, std::memory_order_relaxed); }

  // The call that this thread works for; null if it can't be stopped.
  static Interruptible* current();

  // Makes `call` the one that this thread works for.
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
  // Sees to signals, on the thread that made the call. False if the call has to stop.
  virtual bool handle_signals() = 0;
  virtual bool is_own_thread() const = 0;

  using Clock = std::chrono::steady_clock;
  static constexpr std::chrono::milliseconds interval{20};
  std::atomic<bool> stop_{false};
  Clock::time_point next_ = Clock::now() + interval;  // of the thread that made the call
};

// Throws Interrupted if the call that this thread works for has to stop.
inline void check_interrupt() {
  if (Interruptible* call = Interruptible::current()) call->check();
}

// Runs body(i) for i in 0 … count - 1, and looks now and then whether to stop.
template <typename Body>
__attribute__((always_inline)) inline void for_many(size_t count, Body&& body) {
  constexpr size_t some = 16384;  // of what takes some nanoseconds each
  for (size_t begin = 0; begin < count;) {
    check_interrupt();
    const size_t end = count - begin < some ? count : begin + some;
    for (; begin < end; ++begin) body(begin);
  }
}

}  // namespace gi
