// Waits for another thread that will be done in a moment.
#pragma once

#include <thread>

namespace gi {

// A loop that waits calls step() each time: it spins at first, then yields the CPU to other
// threads.
class SpinWait {
 public:
  void step() {
    if (spins_ >= max_spins) {
      std::this_thread::yield();
      return;
    }
    ++spins_;
    relax();
  }

  // Tells the CPU that this is a spinning loop.
  static void relax() {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    asm volatile("yield");
#endif
  }

 private:
  static constexpr int max_spins = 4000;  // some 50 µs
  int spins_ = 0;
};

}  // namespace gi
