// The gradient, and iterations of the optimizer, of Gaussians of all kinds and residuals of all
// kinds: the results do not depend on the number of threads, and what is finite stays finite.
#include <cmath>
#include <limits>

#include "fit/optimizer.h"
#include "render/render.h"
#include "support/gaussians.h"
#include "support/instruction_sets.h"

namespace {

std::vector<double> gradient(const fuzz::Gaussians& gaussians, const gi::Window& window,
                             const std::vector<float>& residual, int threads) {
  const auto n = static_cast<size_t>(gaussians.count),
             channels = static_cast<size_t>(gaussians.channels);
  std::vector<double> all(n * (5 + channels));
  gi::gradient(gaussians.source(), window, threads, residual.data(), all.data(), all.data() + 2 * n,
               all.data() + 5 * n);
  return all;
}

bool all_finite(const std::vector<double>& values) {
  for (const double value : values) {
    if (!std::isfinite(value)) return false;
  }
  return true;
}

// Runs every loop of the optimizer, and returns the losses and what became of the Gaussians.
std::vector<double> optimize(const fuzz::Gaussians& gaussians, const std::vector<float>& picture,
                             int height, int width, bool coarse, int threads) {
  gi::Optimizer optimizer(picture.data(), height, width, gaussians.channels, gaussians.q_max,
                          threads);
  optimizer.set_coarse(coarse);
  optimizer.add(gaussians.means.data(), gaussians.cholesky.data(), gaussians.colors.data(),
                gaussians.count);
  constexpr gi::Rates rates[2] = {{1e-2f, 1e-2f, 1e-2f}, {1e-2f, 1e-2f, 1e-2f}};
  constexpr float fractions[2] = {0.5f, 0.5f};
  std::vector<double> found(5);
  optimizer.adam(2, rates, {}, found.data());
  // What Adam remembers is no velocity and no overlap, but must do no harm either.
  optimizer.gauss_newton(2, fractions, {1e-3, 1e-3, 1e-2}, 1e-3, found.data() + 2);
  found[4] = optimizer.solve_colors(2, 1e-4);
  std::vector<float> map(static_cast<size_t>(height) * static_cast<size_t>(width));
  optimizer.residual_magnitudes(map.data());
  found.insert(found.end(), map.begin(), map.end());
  const int64_t last = static_cast<int64_t>(map.size()) - 1;
  float at[gi::max_channels];
  optimizer.residual_at(&last, 1, at);
  found.push_back(double{at[0]});
  found.insert(found.end(), optimizer.means.begin(), optimizer.means.end());
  found.insert(found.end(), optimizer.cholesky.begin(), optimizer.cholesky.end());
  return found;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  FuzzedDataProvider input(data, size);
  const int height = input.ConsumeIntegralInRange<int>(1, 48);
  const int width = input.ConsumeIntegralInRange<int>(1, 48);
  const bool coarse = input.ConsumeBool();
  const int poison = input.ConsumeIntegralInRange<int>(0, 15);
  const fuzz::Gaussians gaussians(input, height, width, 24);
  std::vector<float> picture(static_cast<size_t>(height) * static_cast<size_t>(width) *
                             static_cast<size_t>(gaussians.channels));
  for (size_t i = 0; i < picture.size(); ++i) {
    picture[i] = static_cast<float>(i * 2654435761u % 1024) / 1024 - 0.25f;
  }
  if (poison == 0) picture[picture.size() / 2] = std::numeric_limits<float>::quiet_NaN();
  if (poison == 1) picture[picture.size() / 2] = std::numeric_limits<float>::infinity();
  if (poison == 2) picture[picture.size() / 2] = -3e38f;
  const gi::Window window{0, 0, height, width};
  fuzz::for_each_instruction_set([&](const char*) {
    const std::vector<double> one = gradient(gaussians, window, picture, 1);
    REQUIRE(fuzz::same_bits(gradient(gaussians, window, picture, 2), one));
    bool ordinary = poison > 2;
    for (const float color : gaussians.colors) ordinary &= std::fabs(color) < 1e6f;
    REQUIRE(!ordinary || all_finite(one));
    const std::vector<double> fitted = optimize(gaussians, picture, height, width, coarse, 1);
    REQUIRE(fuzz::same_bits(optimize(gaussians, picture, height, width, coarse, 2), fitted));
  });
  return 0;
}
