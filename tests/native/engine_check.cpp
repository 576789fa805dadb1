// The engine without Python, to be compiled for other machines and with sanitizers:
//
//   engine_check render                  draws Gaussians of all kinds, compares them with double
//   engine_check decode KIND FILE        writes a file's pixels; KIND is bytes or words
//   engine_check damage FILE             decodes it with some bytes changed, one at a time
//   engine_check allocations FILE        decodes it again and again, which must allocate nothing
//   engine_check threads FILE            decodes it on several threads at the same time
//   engine_check fitting                 computes gradients and iterates the optimizer again and
//                                        again, which must allocate nothing
//
// It is built from all sources of the engine that have no Python in them.
#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <new>
#include <string>
#include <thread>
#include <vector>

#if defined(_WIN32)
#include <fcntl.h>
#include <io.h>
#include <malloc.h>
#endif

#include "file/picture_decoder.h"
#include "fit/optimizer.h"
#include "render/render.h"
#include "simd/dispatch.h"

// The sanitizers of threads and of memory have functions of their own in place of new and delete,
// so allocations are not counted with them.
#if defined(__has_feature)
#if __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
#define KEEP_NEW
#endif
#endif

namespace {

std::atomic<int> allocations{0};

#if defined(KEEP_NEW)
constexpr bool counts = false;
#else
constexpr bool counts = true;

void* counted(void* memory) {
  ++allocations;
  if (!memory) throw std::bad_alloc();
  return memory;
}
#endif

}  // namespace

#if !defined(KEEP_NEW)
#if defined(_WIN32)
void* allocate_aligned(size_t size, size_t line) { return _aligned_malloc(size, line); }
void free_aligned(void* memory) { _aligned_free(memory); }
#else
void* allocate_aligned(size_t size, size_t line) {
  return std::aligned_alloc(line, (size + line - 1) / line * line);
}
void free_aligned(void* memory) { std::free(memory); }
#endif

// The functions that all other forms of new and delete call.
void* operator new(size_t size) { return counted(std::malloc(size)); }
void* operator new(size_t size, std::align_val_t alignment) {
  return counted(allocate_aligned(size, static_cast<size_t>(alignment)));
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, size_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { free_aligned(memory); }
void operator delete(void* memory, size_t, std::align_val_t) noexcept { free_aligned(memory); }
#endif

namespace {

constexpr gi::FileLimits limits{1 << 24,           1 << 16,           1 << 20,
                                uint64_t{1} << 32, uint64_t{1} << 32, uint64_t{1} << 32};

// Calls the C library, whose functions the sanitizer of memory knows: the C++ library is not
// instrumented.
std::vector<uint8_t> read(const char* path) {
  std::vector<uint8_t> data;
  std::FILE* const file = std::fopen(path, "rb");
  if (!file) return data;
  uint8_t block[4096];
  for (size_t got; (got = std::fread(block, 1, sizeof block, file)) > 0;) {
    data.insert(data.end(), block, block + got);
  }
  std::fclose(file);
  return data;
}

// Decodes to `out`; false if the file isn't whole.
bool decode(gi::PictureDecoder& decoder, const std::vector<uint8_t>& data, gi::PixelKind kind,
            int threads, std::vector<uint8_t>& out) {
  gi::PictureFile& file = decoder.file;
  if (!gi::read_picture_file(data.data(), data.size(), limits, file)) return false;
  const int height = file.quantizer.height, width = file.quantizer.width;
  const gi::DecodeRequest request{
      height, width, {0, 0, height, width}, file.payloads.size(), kind, threads, UINT64_MAX};
  out.assign(static_cast<size_t>(height) * static_cast<size_t>(width) *
                 static_cast<size_t>(file.quantizer.channels) * gi::bytes_per_value(kind),
             0);
  const gi::DecodedPicture picture = decoder.draw(file, request, out.data());
  return picture.drawn && picture.gaussians == file.gaussians;
}

int decode(const char* kind, const char* path) {
  const auto pixels = std::strcmp(kind, "words") == 0 ? gi::PixelKind::words : gi::PixelKind::bytes;
  gi::PictureDecoder decoder;
  std::vector<uint8_t> first, again;
  const std::vector<uint8_t> data = read(path);
  if (!decode(decoder, data, pixels, 1, first) || !decode(decoder, data, pixels, 3, again)) {
    std::fprintf(stderr, "%s does not decode\n", path);
    return 1;
  }
  if (first != again) {
    std::fprintf(stderr, "threads change %s\n", path);
    return 1;
  }
#if defined(_WIN32)
  _setmode(_fileno(stdout), _O_BINARY);
#endif
  std::fwrite(first.data(), 1, first.size(), stdout);
  return 0;
}

// Damages layers after the container has been read, because its checksums would reject a damaged
// file.
int damage(const char* path) {
  const std::vector<uint8_t> data = read(path);
  gi::PictureDecoder decoder, other;
  std::vector<uint8_t> out;
  int drawn = 0;
  for (size_t place = 0; place < data.size(); place += 1 + data.size() / 400) {
    std::vector<uint8_t> bad = data;
    bad[place] ^= static_cast<uint8_t>(1 + place % 255);
    if (decode(decoder, bad, gi::PixelKind::bytes, 1, out)) {
      std::fprintf(stderr, "a changed byte %zu is not seen\n", place);
      return 1;
    }
    gi::PictureFile& file = other.file;
    if (!gi::read_picture_file(data.data(), data.size(), limits, file)) return 1;
    for (gi::LayerBytes& layer : file.payloads) {
      const size_t at = static_cast<size_t>(layer.first - data.data());
      layer.first = bad.data() + at;
    }
    const int height = file.quantizer.height, width = file.quantizer.width;
    const gi::DecodeRequest request{
        height, width,     {0, 0, height, width}, file.payloads.size(), gi::PixelKind::bytes,
        1,      UINT64_MAX};
    out.assign(static_cast<size_t>(height) * static_cast<size_t>(width) * 4, 0);
    drawn += other.draw(file, request, out.data()).drawn;
  }
  std::printf("%d drawn\n", drawn);
  return 0;
}

// Whether a call stops allocating when it is repeated. The first call must allocate: that shows
// that allocations are counted.
template <typename Call>
bool settles(const char* name, int threads, Call&& call) {
  if (!counts) {
    call();
    call();
    return true;
  }
  // The memory that a thread keeps grows with the tasks that it gets, so the first calls may
  // allocate.
  int last = 1;
  for (int turn = 0; turn < 50 && last > 0; ++turn) {
    allocations = 0;
    call();
    last = allocations;
    if (turn == 0 && last == 0) {
      std::fprintf(stderr, "%s: allocations are not counted\n", name);
      return false;
    }
  }
  if (last > 0) std::fprintf(stderr, "%s: %d allocations, %d threads\n", name, last, threads);
  return last == 0;
}

int allocate(const char* path) {
  const std::vector<uint8_t> data = read(path);
  std::vector<uint8_t> out;
  for (const int threads : {1, 2}) {
    gi::PictureDecoder decoder;
    bool whole = true;
    const auto call = [&] { whole &= decode(decoder, data, gi::PixelKind::bytes, threads, out); };
    if (!settles("decoding", threads, call) || !whole) return 1;
  }
  return 0;
}

// Decodes a file on four threads, each of which asks the pool for three.
int decode_together(const char* path) {
  const std::vector<uint8_t> data = read(path);
  gi::PictureDecoder first;
  std::vector<uint8_t> expected;
  if (!decode(first, data, gi::PixelKind::bytes, 1, expected)) return 1;
  std::atomic<int> wrong{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      gi::PictureDecoder decoder;
      std::vector<uint8_t> out;
      for (int turn = 0; turn < 8; ++turn) {
        wrong += !decode(decoder, data, gi::PixelKind::bytes, 3, out) || out != expected;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  if (wrong > 0) std::fprintf(stderr, "%s: %d of 32 differ\n", path, wrong.load());
  return wrong > 0;
}

// A generator whose numbers are the same everywhere.
struct Random {
  uint64_t state = 1;
  double uniform() {
    state = state * 6364136223846793005u + 1442695040888963407u;
    return static_cast<double>(state >> 11) / 9007199254740992.0;
  }
};

constexpr int height = 301, width = 75, channels = 3, count = 400;

// Gaussians of all sizes, in and around a picture.
struct Scene {
  std::vector<double> means, cholesky;
  std::vector<float> colors;

  Scene();
  gi::Source source() const {
    return {means.data(), cholesky.data(), colors.data(), count, channels, 4.5};
  }
};

Scene::Scene() {
  Random random;
  for (int i = 0; i < count; ++i) {
    means.push_back(width * (1.4 * random.uniform() - 0.2));
    means.push_back(height * (1.4 * random.uniform() - 0.2));
    const double size = std::exp(5 * random.uniform() - 1.5);
    const double thin = std::exp(2 * random.uniform() - 1);
    cholesky.push_back(size * thin);
    cholesky.push_back(size * (2 * random.uniform() - 1));
    cholesky.push_back(size / thin);
    for (int k = 0; k < channels; ++k) {
      colors.push_back(static_cast<float>(random.uniform() - 0.5));
    }
  }
}

int render() {
  Scene scene;
  std::vector<double>&means = scene.means, &cholesky = scene.cholesky;
  std::vector<float>& colors = scene.colors;
  cholesky[0] = NAN;
  means[3] = INFINITY;
  colors[8] = NAN;
  cholesky[9] = 0;
  const gi::Source source = scene.source();
  const gi::Window window{0, 0, height, width};
  const gi::Part part{0, 0, height, width};
  constexpr float background[4] = {0.25f, 0.5f, 0.75f, 0};
  std::vector<float> out(size_t{height} * width * channels);
  const gi::PixelSink sink(gi::PixelKind::sums, false, channels, part, out.data());
  gi::render(source, window, background, gi::Work{}, 2, sink);
  double worst = 0;
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      double sum[channels] = {0.25, 0.5, 0.75}, unsure = 0;
      for (int i = 4; i < count; ++i) {
        const double* l = cholesky.data() + 3 * i;
        const double z1 = (x + 0.5 - means[static_cast<size_t>(2 * i)]) / l[0];
        const double z2 = (y + 0.5 - means[static_cast<size_t>(2 * i + 1)] - l[1] * z1) / l[2];
        const double q = 0.5 * (z1 * z1 + z2 * z2);
        if (std::fabs(q - 4.5) < 1e-3) unsure += 0.012;  // inside or outside
        if (q > 4.5) continue;
        for (int k = 0; k < channels; ++k) {
          sum[k] += std::exp(-q) * colors[static_cast<size_t>(channels * i + k)];
        }
      }
      const size_t at = (size_t(y) * width + size_t(x)) * channels;
      for (size_t k = 0; k < channels; ++k) {
        worst = std::max(worst, std::fabs(sum[k] - double(out[at + k])) - unsure);
      }
    }
  }
  std::printf("%s: off by %.2g\n", gi::kernels().name, worst);
  return worst < 1e-4 ? 0 : 1;
}

int fit() {
  const Scene scene;
  const std::vector<float> picture(size_t{height} * width * channels, 0.5f);
  std::vector<double> means(2 * count), covariance(3 * count);
  std::vector<double> colors(size_t{channels} * count);
  constexpr gi::Rates rates{1e-3f, 1e-3f, 1e-3f};
  for (const int threads : {1, 2}) {
    const auto gradient = [&] {
      gi::gradient(scene.source(), {0, 0, height, width}, threads, picture.data(), means.data(),
                   covariance.data(), colors.data());
    };
    if (!settles("gradient", threads, gradient)) return 1;
    gi::Optimizer optimizer(picture.data(), height, width, channels, 4.5, threads);
    optimizer.add(scene.means.data(), scene.cholesky.data(), scene.colors.data(), count);
    double loss;
    if (!settles("iteration", threads, [&] { optimizer.adam(1, &rates, {}, &loss); })) return 1;
  }
  return 0;
}

}  // namespace

int main(int count, char** arguments) {
  const std::string what = count > 1 ? arguments[1] : "";
  if (what == "render" && count == 2) return render();
  if (what == "decode" && count == 4) return decode(arguments[2], arguments[3]);
  if (what == "damage" && count == 3) return damage(arguments[2]);
  if (what == "allocations" && count == 3) return allocate(arguments[2]);
  if (what == "threads" && count == 3) return decode_together(arguments[2]);
  if (what == "fitting" && count == 2) return fit();
  std::fprintf(
      stderr,
      "engine_check render | decode KIND FILE | damage FILE | allocations FILE | threads FILE | "
      "fitting\n");
  return 2;
}
