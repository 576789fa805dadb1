#include "base/pool.h"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <exception>
#include <memory>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "base/interrupt.h"
#include "base/spin_wait.h"

#if defined(__linux__)
#include <pthread.h>
#include <sched.h>
#endif
#if defined(__unix__) || defined(__APPLE__)
#include <unistd.h>
#endif

namespace gi {
namespace {

constexpr int max_threads = 256;

// The tasks of one call of `parallel`.
struct TaskSet {
  const FunctionRef<void(int)>* task;
  Interruptible* call;  // the call that they belong to; null if it cannot be interrupted
  int count;
  int seats;  // workers that may still join
  int users;  // threads that may still use this object; the pool's lock guards both numbers
  std::atomic<int> next;
  std::atomic<int> done;
  std::mutex error_lock;
  std::exception_ptr error;

  void work() {
    const Interruptible::Scope scope(call);
    for (int i; (i = next.fetch_add(1, std::memory_order_relaxed)) < count;) {
      try {
        check_interrupt();
        (*task)(i);
      } catch (...) {
        std::lock_guard<std::mutex> hold(error_lock);
        if (!error) error = std::current_exception();
      }
      done.fetch_add(1, std::memory_order_release);
    }
  }
};

class Pool {
 public:
  void run(int count, int threads, const FunctionRef<void(int)>& task) {
    grow(threads - 1);
    TaskSet* tasks;
    {
      std::lock_guard<std::mutex> hold(lock_);
      tasks = current_ = unused();
      tasks->task = &task;
      tasks->call = Interruptible::current();
      tasks->count = count;
      tasks->seats = threads - 1;
      tasks->users = 1;
      tasks->next.store(0, std::memory_order_relaxed);
      tasks->done.store(0, std::memory_order_relaxed);
      generation_.fetch_add(1, std::memory_order_release);
    }
    if (sleeping_.load(std::memory_order_acquire) > 0) {
      keep_workers_off_this_cpu();
      wake_.notify_all();
    }
    tasks->work();
    // The remaining tasks are running already, so the wait is usually short.
    SpinWait waiting;
    while (tasks->done.load(std::memory_order_acquire) < count) {
      waiting.step();
      if (tasks->call) tasks->call->look();
    }
    const std::exception_ptr error = std::exchange(tasks->error, nullptr);
    {
      std::lock_guard<std::mutex> hold(lock_);
      current_ = nullptr;
      --tasks->users;
    }
    if (error) std::rethrow_exception(error);
  }

 private:
  // A late worker still uses the task set that it was woken for. A new call takes another one
  // instead of waiting for it.
  TaskSet* unused() {
    for (const std::unique_ptr<TaskSet>& tasks : task_sets_) {
      if (tasks->users == 0) return tasks.get();
    }
    return task_sets_.emplace_back(std::make_unique<TaskSet>()).get();
  }

  void grow(int workers) {
    // Reserve first: nothing may throw while a thread is not detached.
    workers_.reserve(static_cast<size_t>(std::max(workers, 0)));
    while (static_cast<int>(workers_.size()) < workers) {
      std::thread worker;
      try {
        worker = std::thread([this] { serve(); });
      } catch (const std::system_error&) {
        return;  // the threads that the system allows are enough
      }
      workers_.push_back(worker.native_handle());
      worker.detach();
#if defined(__linux__)
      CPU_ZERO(&cpus_);  // the new worker does not have these CPUs yet
#endif
    }
  }

  // The kernel tends to wake a thread on the CPU of the thread that wakes it, even if other CPUs
  // are idle. There the worker waits until the caller is out of work, or takes the caller's place
  // for a tick.
  void keep_workers_off_this_cpu() {
#if defined(__linux__)
    cpu_set_t cpus;
    const int here = sched_getcpu();
    if (here < 0 || here >= CPU_SETSIZE || sched_getaffinity(0, sizeof cpus, &cpus) != 0) return;
    if (CPU_COUNT(&cpus) > 1) CPU_CLR(static_cast<size_t>(here), &cpus);
    if (CPU_EQUAL(&cpus, &cpus_)) return;
    for (const std::thread::native_handle_type worker : workers_) {
      pthread_setaffinity_np(worker, sizeof cpus, &cpus);
    }
    cpus_ = cpus;
#endif
  }

  void serve() {
    unsigned seen = 0;
    for (;;) {
      // Spin first, because iterations of an optimizer follow each other within microseconds.
      int spins = 0;
      while (generation_.load(std::memory_order_acquire) == seen && ++spins < 6000) {
        SpinWait::relax();
      }
      TaskSet* tasks = nullptr;
      {
        std::unique_lock<std::mutex> hold(lock_);
        if (generation_.load() == seen) {
          sleeping_.fetch_add(1);
          wake_.wait(hold, [&] { return generation_.load() != seen; });
          sleeping_.fetch_sub(1);
        }
        seen = generation_.load();
        if (current_ && current_->seats > 0) {
          tasks = current_;
          --tasks->seats;
          ++tasks->users;
        }
      }
      if (!tasks) continue;
      tasks->work();
      std::lock_guard<std::mutex> hold(lock_);
      --tasks->users;
    }
  }

  std::mutex lock_;
  std::condition_variable wake_;
  std::vector<std::unique_ptr<TaskSet>> task_sets_;
  TaskSet* current_ = nullptr;
  std::atomic<unsigned> generation_{0};
  std::atomic<int> sleeping_{0};
  std::vector<std::thread::native_handle_type> workers_;
#if defined(__linux__)
  cpu_set_t cpus_{};  // the CPUs that the workers may use; empty until they are set
#endif
};

std::mutex entrance;
Pool* pool = nullptr;
#if defined(__unix__) || defined(__APPLE__)
pid_t owner = 0;
#endif

// Returns the pool of this process. Its threads do not survive a fork, so a child process makes its
// own pool. The old pool is not destroyed, because its mutexes may have been locked when the
// process forked.
Pool& current_pool() {
#if defined(__unix__) || defined(__APPLE__)
  if (pool && owner != getpid()) pool = nullptr;
  if (!pool) owner = getpid();
#endif
  if (!pool) pool = new Pool;
  return *pool;
}

}  // namespace

int resolve_threads(int requested) {
  if (requested > 0) return std::min(requested, max_threads);
#if defined(__linux__)
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) == 0) {
    return std::clamp(CPU_COUNT(&set), 1, max_threads);
  }
#endif
  return std::clamp(static_cast<int>(std::thread::hardware_concurrency()), 1, max_threads);
}

void parallel(int count, int threads, FunctionRef<void(int)> task) {
  threads = std::min(threads, count);
  if (threads > 1) {
    std::unique_lock<std::mutex> hold(entrance, std::try_to_lock);
    if (hold.owns_lock()) {
      current_pool().run(count, threads, task);
      return;
    }
  }
  for (int i = 0; i < count; ++i) {
    check_interrupt();
    task(i);
  }
}

void parallel_ranges(int count, int threads, FunctionRef<void(int, int)> task) {
  if (threads <= 1) return task(0, count);
  std::atomic<int> taken{0};
  parallel(threads, threads, [&](int) {
    for (int begin = taken.load(std::memory_order_relaxed); begin < count;) {
      const int end = begin + std::max((count - begin) / (4 * threads), 1);
      if (!taken.compare_exchange_weak(begin, end, std::memory_order_relaxed)) continue;
      task(begin, end);
      begin = taken.load(std::memory_order_relaxed);
    }
  });
}

}  // namespace gi
