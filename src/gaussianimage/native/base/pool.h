// A process-wide pool of worker threads that run numbered tasks.
#pragma once

#include "base/function_ref.h"

namespace gi {

// Returns the number of threads that a call may use: `requested`, or if that is 0 the number of
// CPUs that this process may run on.
int resolve_threads(int requested);

// Runs task(0) … task(count - 1), each once, on up to `threads` threads (the caller is one).
//
// Threads take tasks one at a time, so the order of tasks is not fixed: a task must write only what
// no other task touches. Several threads may call this at once; a call that finds the pool busy
// runs on its own thread alone. It also works after a fork. The first exception of a task is thrown
// when all tasks have ended. Throws Interrupted if the call must stop; see base/interrupt.h.
void parallel(int count, int threads, FunctionRef<void(int)> task);

// Runs task(begin, end) for ranges that cover 0 … count - 1. The ranges become shorter towards the
// end: neighbors mostly run on the same thread, and no thread waits long for the last range.
void parallel_ranges(int count, int threads, FunctionRef<void(int, int)> task);

}  // namespace gi
