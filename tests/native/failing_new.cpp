// A library to be preloaded that makes one allocation of the native module fail.
//
// Only calls of operator new that come from the module are counted, because only the module is
// tested. `fail_allocation(module, n)` makes the n-th from now on fail, counted from 0 on all
// threads, and `allocation_failed()` tells whether it has.
#include <dlfcn.h>

#include <atomic>
#include <cstdlib>
#include <cstring>
#include <new>

namespace {

std::atomic<long> left{-1};  // allocations until the one that fails; negative: none fails
std::atomic<bool> failed{false};
std::atomic<const void*> base{nullptr};  // address of the module

bool comes_from_module(const void* caller) {
  Dl_info info;
  return dladdr(caller, &info) != 0 && info.dli_fbase == base.load();
}

void* allocate(size_t size, size_t alignment, const void* caller) {
  if (left.load() >= 0 && comes_from_module(caller) && left.fetch_sub(1) == 0) {
    failed.store(true);
    return nullptr;
  }
  if (alignment == 0) return std::malloc(size == 0 ? 1 : size);
  return std::aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment);
}

void* allocate_or_throw(size_t size, size_t alignment, const void* caller) {
  void* memory = allocate(size, alignment, caller);
  if (!memory) throw std::bad_alloc();
  return memory;
}

}  // namespace

#define GI_CALLER __builtin_return_address(0)

void* operator new(size_t size) { return allocate_or_throw(size, 0, GI_CALLER); }
void* operator new[](size_t size) { return allocate_or_throw(size, 0, GI_CALLER); }
void* operator new(size_t size, const std::nothrow_t&) noexcept {
  return allocate(size, 0, GI_CALLER);
}
void* operator new[](size_t size, const std::nothrow_t&) noexcept {
  return allocate(size, 0, GI_CALLER);
}
void* operator new(size_t size, std::align_val_t alignment) {
  return allocate_or_throw(size, static_cast<size_t>(alignment), GI_CALLER);
}
void* operator new[](size_t size, std::align_val_t alignment) {
  return allocate_or_throw(size, static_cast<size_t>(alignment), GI_CALLER);
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete[](void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, size_t) noexcept { std::free(memory); }
void operator delete[](void* memory, size_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete(void* memory, size_t, std::align_val_t) noexcept { std::free(memory); }
void operator delete[](void* memory, size_t, std::align_val_t) noexcept { std::free(memory); }

extern "C" void fail_allocation(const void* in_module, long n) {
  Dl_info info;
  if (dladdr(in_module, &info) != 0) base.store(info.dli_fbase);
  failed.store(false);
  left.store(n);
}

extern "C" bool allocation_failed() { return failed.load(); }
