#include "base/interrupt.h"

namespace gi {
namespace {

thread_local Interruptible* current_call = nullptr;

}  // namespace

Interruptible* Interruptible::current() { return current_call; }

Interruptible::Scope::Scope(Interruptible* call) : before_(current_call) { current_call = call; }

Interruptible::Scope::~Scope() { current_call = before_; }

void Interruptible::look() {
  if (stopped() || !is_own_thread()) return;
  const Clock::time_point now = Clock::now();
  if (now < next_) return;
  if (!handle_signals()) stop();
  next_ = Clock::now() + interval;
}

}  // namespace gi
