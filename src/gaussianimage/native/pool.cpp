#include "pool.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <exception>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#if defined(__linux__)
#include <sched.h>
#endif
#if defined(__unix__) || defined(__APPLE__)
#include <unistd.h>
#endif

namespace gi {
namespace {

constexpr int max_threads = 256;

void relax() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

// One batch of tasks. Workers hold it by shared_ptr, so a late waker finds it empty, not gone.
struct Batch {
  const std::function<void(int)>* task;
  int count;
  int seats;  // how many workers may still join
  std::atomic<int> next{0};
  std::atomic<int> done{0};
  std::mutex error_lock;
  std::exception_ptr error;

  void work() {
    for (int i; (i = next.fetch_add(1, std::memory_order_relaxed)) < count;) {
      try {
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
  void run(int count, int threads, const std::function<void(int)>& task) {
    auto batch = std::make_shared<Batch>();
    batch->task = &task;
    batch->count = count;
    batch->seats = threads - 1;
    grow(threads - 1);
    {
      std::lock_guard<std::mutex> hold(lock_);
      batch_ = batch;
      generation_.fetch_add(1, std::memory_order_release);
    }
    if (sleeping_.load(std::memory_order_acquire) > 0) wake_.notify_all();
    batch->work();
    // The remaining tasks are running already, so the wait is short: spin, then be polite.
    for (int spins = 0; batch->done.load(std::memory_order_acquire) < count; ++spins) {
      if (spins < 4000) {
        relax();
      } else {
        std::this_thread::yield();
      }
    }
    {
      std::lock_guard<std::mutex> hold(lock_);
      batch_.reset();
    }
    if (batch->error) std::rethrow_exception(batch->error);
  }

 private:
  void grow(int workers) {
    while (static_cast<int>(workers_) < workers) {
      std::thread([this] { serve(); }).detach();
      ++workers_;
    }
  }

  void serve() {
    unsigned seen = 0;
    for (;;) {
      // Iterations of an optimizer follow each other within microseconds: spin for those.
      int spins = 0;
      while (generation_.load(std::memory_order_acquire) == seen && ++spins < 6000) relax();
      std::shared_ptr<Batch> batch;
      {
        std::unique_lock<std::mutex> hold(lock_);
        if (generation_.load() == seen) {
          sleeping_.fetch_add(1);
          wake_.wait(hold, [&] { return generation_.load() != seen; });
          sleeping_.fetch_sub(1);
        }
        seen = generation_.load();
        if (batch_ && batch_->seats > 0) {
          --batch_->seats;
          batch = batch_;
        }
      }
      if (batch) batch->work();
    }
  }

  std::mutex lock_;
  std::condition_variable wake_;
  std::shared_ptr<Batch> batch_;
  std::atomic<unsigned> generation_{0};
  std::atomic<int> sleeping_{0};
  int workers_ = 0;
};

std::mutex entrance;
Pool* pool = nullptr;
#if defined(__unix__) || defined(__APPLE__)
pid_t owner = 0;
#endif

// The pool of this process; its threads do not survive a fork, so a child makes its own. The old
// one is left alone: its mutexes may have been held at the moment of the fork.
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

void parallel(int count, int threads, const std::function<void(int)>& task) {
  threads = std::min(threads, count);
  if (threads > 1) {
    std::unique_lock<std::mutex> hold(entrance, std::try_to_lock);
    if (hold.owns_lock()) {
      current_pool().run(count, threads, task);
      return;
    }
  }
  for (int i = 0; i < count; ++i) task(i);
}

void parallel_ranges(int count, int threads, const std::function<void(int, int)>& task) {
  if (threads <= 1) return task(0, count);
  std::vector<int> ends = {0};
  while (ends.back() < count) {
    ends.push_back(ends.back() + std::max((count - ends.back()) / (4 * threads), 1));
  }
  parallel(static_cast<int>(ends.size()) - 1, threads, [&](int i) {
    const auto at = static_cast<size_t>(i);
    task(ends[at], ends[at + 1]);
  });
}

}  // namespace gi
