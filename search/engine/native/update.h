// One step of an optimiser for the parameters of a layer, by the formulae of optax.
#pragma once

#include <cmath>
#include <cstdint>

namespace convbudget {

// Results may lie where what they replace lay, so that a loop need not copy them.

// AdamW (arXiv:1711.05101) as optax.scale_by_adam and add_decayed_weights with their defaults.
struct Adam {
  static constexpr float kFirst = 0.9f, kSecond = 0.999f, kEpsilon = 1e-8f;
  float rate, first_share, second_share;  // the shares of the moments that steps so far make up

  Adam(int32_t step, float rate)
      : rate(rate),
        first_share(1 - std::pow(kFirst, float(step))),
        second_share(1 - std::pow(kSecond, float(step))) {}

  void update(int64_t size, float decay, const float* old, const float* gradient,
              const float* old_mean, const float* old_square, float* value, float* mean,
              float* square) const {
    for (int64_t i = 0; i < size; ++i) {
      const float g = gradient[i];
      mean[i] = (1 - kFirst) * g + kFirst * old_mean[i];
      square[i] = (1 - kSecond) * (g * g) + kSecond * old_square[i];
      const float direction =
          (mean[i] / first_share) / (std::sqrt(square[i] / second_share) + kEpsilon);
      value[i] = old[i] - rate * (direction + decay * old[i]);
    }
  }
};

// Nesterov's momentum as optax.trace with nesterov=True, after add_decayed_weights.
inline void momentum_update(int64_t size, float rate, float decay, const float* old,
                            const float* gradient, const float* old_trace, float* value,
                            float* trace) {
  constexpr float kMomentum = 0.9f;
  for (int64_t i = 0; i < size; ++i) {
    const float g = gradient[i] + decay * old[i];
    trace[i] = g + kMomentum * old_trace[i];
    value[i] = old[i] - rate * (g + kMomentum * trace[i]);
  }
}

// Running averages.
inline void blend(int64_t size, float kept, const float* old, const float* fresh, float* value) {
  for (int64_t i = 0; i < size; ++i) value[i] = kept * old[i] + (1 - kept) * fresh[i];
}

}  // namespace convbudget
