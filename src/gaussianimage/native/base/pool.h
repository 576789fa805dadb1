// A process-wide pool of worker threads that run numbered tasks.
#pragma once

#include "base/function_ref.h"

namespace gi {

// Threads that a call may use: `requested`, or the CPUs this process may run on when it is 0.
int resolve_threads(int requested);

// Runs task(0) … task(count - 1), each once, on up to `threads` threads (the caller is one).
//
// Tasks are handed out one at a time, so their order across threads is not fixed: a task must
// write only what no other task touches. Safe to call from several threads at once (a call that
// finds the pool busy runs on its own thread alone) and after a fork. The first exception of a task
// is thrown when all have ended; Interrupted if the caller's call has to stop, see
// base/interrupt.h.
void parallel(int count, int threads, FunctionRef<void(int)> task);

// The same in ranges: runs task(begin, end) over all of 0 … count - 1. The ranges become shorter
// towards the end, so that neighbors mostly run on one thread, and no thread waits long for the
// last.
void parallel_ranges(int count, int threads, FunctionRef<void(int, int)> task);

}  // namespace gi
