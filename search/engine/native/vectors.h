// Vectors of floats as wide as the processor's, or narrower, by GCC's and Clang's own extension.
#pragma once

#include <cstdint>
#include <cstring>
#include <type_traits>

namespace convbudget {

// Lanes of the widest vector, vectors of them that make a block of channels, and sums that stay in
// registers beside what they are made of.
#if defined(__AVX512F__)
constexpr int kWidest = 16, kPair = 2, kSums = 28;
#elif defined(__AVX__)
constexpr int kWidest = 8, kPair = 1, kSums = 12;
#elif defined(__aarch64__)
constexpr int kWidest = 4, kPair = 2, kSums = 28;
#else
constexpr int kWidest = 4, kPair = 1, kSums = 12;
#endif

template <int kLanes>
struct VectorOf {
  typedef float type __attribute__((vector_size(kLanes * sizeof(float))));
};
template <>
struct VectorOf<1> {
  typedef float type;
};
template <int kLanes>
using Vector = typename VectorOf<kLanes>::type;

template <int kLanes>
inline Vector<kLanes> load(const float* from) {
  Vector<kLanes> value;
  std::memcpy(&value, from, sizeof(value));
  return value;
}

template <int kLanes>
inline void store(float* to, Vector<kLanes> value) {
  std::memcpy(to, &value, sizeof(value));
}

template <int kNumber>
using Number = std::integral_constant<int, kNumber>;

// Calls visit(lanes, vectors, first) for blocks that make up all channels, each the widest that
// fits; lanes and vectors, up to kMost, are compile-time numbers.
template <int kMost = kPair, typename Visit>
inline void for_each_block(int64_t channels, const Visit& visit) {
  int64_t first = 0;
  auto take = [&](auto lanes, auto vectors) {
    const int64_t width = lanes * vectors;
    for (; first + width <= channels; first += width) visit(lanes, vectors, first);
  };
  if constexpr (kMost > 1) take(Number<kWidest>(), Number<kMost>());
  if constexpr (kWidest >= 16) take(Number<16>(), Number<1>());
  if constexpr (kWidest >= 8) take(Number<8>(), Number<1>());
  take(Number<4>(), Number<1>());
  take(Number<1>(), Number<1>());
}

}  // namespace convbudget
