// A vector that begins on a cache line, so that no load of a row pair crosses two lines.
#pragma once

#include <cstddef>
#include <new>
#include <vector>

namespace gi {

template <typename Value>
struct LineAllocator {
  using value_type = Value;
  LineAllocator() = default;
  template <typename Other>
  LineAllocator(const LineAllocator<Other>&) {}

  Value* allocate(size_t count) {
    return static_cast<Value*>(::operator new(count * sizeof(Value), line));
  }
  void deallocate(Value* p, size_t) { ::operator delete(p, line); }
  bool operator==(const LineAllocator&) const { return true; }

 private:
  static constexpr std::align_val_t line{64};
};

template <typename Value>
using AlignedVector = std::vector<Value, LineAllocator<Value>>;

}  // namespace gi
