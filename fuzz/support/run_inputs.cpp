// Runs a fuzz target on the files that are named, without libFuzzer: for sanitizers that do not go
// together with its counters. It calls the C library alone, which the sanitizer of memory knows.
#include <cstdint>
#include <cstdio>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);
extern "C" size_t LLVMFuzzerMutate(uint8_t* data, size_t size, size_t most);

// The mutators call it; nothing calls them here.
size_t LLVMFuzzerMutate(uint8_t*, size_t size, size_t) { return size; }

int main(int count, char** arguments) {
  for (int i = 1; i < count; ++i) {
    std::FILE* const file = std::fopen(arguments[i], "rb");
    if (!file) {
      std::fprintf(stderr, "%s can't be read\n", arguments[i]);
      return 2;
    }
    std::vector<uint8_t> data;
    uint8_t block[4096];
    for (size_t got; (got = std::fread(block, 1, sizeof block, file)) > 0;) {
      data.insert(data.end(), block, block + got);
    }
    std::fclose(file);
    LLVMFuzzerTestOneInput(data.data(), data.size());
  }
  return 0;
}
