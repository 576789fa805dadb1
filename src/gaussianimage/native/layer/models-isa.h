// The adaptive models of the layer syntax.
#pragma once

#include <algorithm>
#include <vector>

#include "entropy/adaptive_model-isa.h"
#include "entropy/priors.h"

namespace gi::GI_ISA {

// The streams of a layer have few or many states: a small layer has too few loose bits for the
// beginning of many states.
constexpr int few_states = 2, many_states = 4;
constexpr size_t large_layer = 64;  // the least number of Gaussians for many states

// Where each group of models begins. The models live as long as the file: a layer continues with
// what they learned from the previous layers. They start from `model_priors`.
enum ModelGroup {
  luma = 0,                  // by layer (4 sets) and precision class
  chroma_1 = luma + 64,      // by layer, the luma's level and the chroma of the previous Gaussian
  chroma_2 = chroma_1 + 64,  // by the levels of the first chroma and the luma
  alpha = chroma_2 + 24,     // by the luma's level
  size = alpha + 4,          // by amplitude class, as the two shears are
  shear_1 = size + 16,
  shear_2 = shear_1 + 16,
  size_escape = shear_2 + 16,  // below and above
  // How many of the n Gaussians of a cell are in its first half, one model for each n = 1 … 14. The
  // last model is for larger n: which sixteenth of n is in the first half. The second set is for
  // cells that cross the grid's border.
  split = size_escape + 2,
  model_count = split + 2 * 15
};

inline int alphabet_size(int model) {
  const int n = model < split ? 0 : (model - split) % 15 + 1;
  return n == 0 || n == 15 ? 16 : n + 1;
}

struct LayerModels {
  std::vector<Model> models;
  int layers = 1;  // in the whole file
  int layer = 0;   // the current one

  // Starts a file of `layer_count` layers.
  void begin(int layer_count) {
    models = untaught();
    layers = layer_count;
    layer = 0;
  }

  Model& operator[](int i) { return models[static_cast<size_t>(i)]; }

  // The set of models for the current layer. A file of one layer has a set of its own, because its
  // layer has Gaussians of all amplitudes; with several layers the amplitudes fall.
  int set() const { return layers == 1 ? 3 : std::min(layer, 2); }

 private:
  // Made once, because a copy is much faster than reading the priors again.
  static const std::vector<Model>& untaught() {
    static const std::vector<Model> models = [] {
      std::vector<Model> made;
      made.reserve(model_count);
      for (int i = 0; i < model_count; ++i) {
        made.emplace_back(model_priors[i], alphabet_size(i), prior_confidence);
      }
      return made;
    }();
    return models;
  }
};

}  // namespace gi::GI_ISA
