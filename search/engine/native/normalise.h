// BatchNorm with an optional addition and the activation, and their gradients; see
// search/engine/ops/normalise.py for the formulae.
#pragma once

#include <cmath>

#include "convolution.h"
#include "parallel.h"
#include "vectors.h"

namespace convbudget {

constexpr float kEpsilon = 1e-5f;

// A map as rows of floats whose columns each belong to one channel: a pixel's channels, or those of
// several pixels where a pixel alone would not fill a vector.
struct Matrix {
  int64_t rows, width, channels;

  Matrix(int64_t pixels, int64_t channels) : channels(channels) {
    int64_t together = 1;
    while (together * channels % kWidest != 0 && together < kWidest && pixels % (2 * together) == 0)
      together *= 2;
    width = together * channels;
    rows = pixels / together;
  }

  std::vector<Part> parts() const { return parts_of(rows, 16 * width); }

  // Calls visit(lanes, first column) for blocks of columns.
  template <typename Visit>
  void for_each_block(const Visit& visit) const {
    int64_t column = 0;
    for (; column + kWidest <= width; column += kWidest) visit(Number<kWidest>(), column);
    for (; column < width; ++column) visit(Number<1>(), column);
  }

  // A number for each channel as one for each column.
  std::vector<float> spread(const float* of_channels) const {
    std::vector<float> columns(width);
    for (int64_t column = 0; column < width; ++column)
      columns[column] = of_channels[column % channels];
    return columns;
  }

  // Sums of columns as sums of channels.
  void gather(const std::vector<float>& columns, float* of_channels) const {
    std::copy_n(columns.begin(), channels, of_channels);
    for (int64_t column = channels; column < width; ++column)
      of_channels[column % channels] += columns[column];
  }
};

// Calls add(lanes, row, first column, sums) for all of the matrix, a block of columns and some rows
// at a time, and returns kSumsOfColumn sums for each column; `add` takes vectors of sums.
template <int kSumsOfColumn, typename Add>
std::vector<std::vector<float>> column_sums(xla::ffi::ThreadPool& threads, const Matrix& matrix,
                                            const Add& add) {
  // Rows that the first cache holds, so that all blocks find them there.
  const int64_t tile = std::max<int64_t>(16, 4096 / matrix.width);
  const auto parts = matrix.parts();
  PartialSums partial(parts.size(), kSumsOfColumn * matrix.width);
  for_each_part(threads, parts, [&](size_t number, const Part& part) {
    for (int64_t first = part.first; first < part.last; first += tile) {
      const int64_t last = std::min(part.last, first + tile);
      matrix.for_each_block([&](auto lanes, int64_t column) {
        // Four of each, so that a sum need not wait for the one before.
        Vector<lanes> sums[4][kSumsOfColumn] = {};
        int64_t row = first;
        for (; row + 4 <= last; row += 4)
          for (int turn = 0; turn < 4; ++turn)
            add(lanes, (row + turn) * matrix.width + column, column, sums[turn]);
        for (; row < last; ++row) add(lanes, row * matrix.width + column, column, sums[0]);
        for (int sum = 0; sum < kSumsOfColumn; ++sum) {
          float* place = partial.of(number) + sum * matrix.width + column;
          store<lanes>(place, load<lanes>(place) + ((sums[0][sum] + sums[1][sum]) +
                                                    (sums[2][sum] + sums[3][sum])));
        }
      });
    }
  });
  std::vector<float> all(kSumsOfColumn * matrix.width);
  partial.total(all.data());
  std::vector<std::vector<float>> found;
  for (int sum = 0; sum < kSumsOfColumn; ++sum)
    found.emplace_back(all.begin() + sum * matrix.width, all.begin() + (sum + 1) * matrix.width);
  return found;
}

// Calls visit(lanes, place, column) for each vector of the matrix.
template <typename Visit>
void for_each_vector(xla::ffi::ThreadPool& threads, const Matrix& matrix, const Visit& visit) {
  for_each_part(threads, matrix.parts(), [&](size_t, const Part& part) {
    for (int64_t row = part.first; row < part.last; ++row)
      matrix.for_each_block([&](auto lanes, int64_t column) {
        visit(lanes, row * matrix.width + column, column);
      });
  });
}

inline void moments(xla::ffi::ThreadPool& threads, const Matrix& matrix, const float* y,
                    float* mean, float* variance) {
  const float share = 1.0f / (matrix.rows * (matrix.width / matrix.channels));
  const auto sums = column_sums<1>(threads, matrix, [&](auto lanes, int64_t place, int64_t, auto* sum) {
    sum[0] += load<lanes>(y + place);
  });
  matrix.gather(sums[0], mean);
  for (int64_t channel = 0; channel < matrix.channels; ++channel) mean[channel] *= share;
  const auto centre = matrix.spread(mean);
  const auto squares =
      column_sums<1>(threads, matrix, [&](auto lanes, int64_t place, int64_t column, auto* sum) {
        const auto distance = load<lanes>(y + place) - load<lanes>(centre.data() + column);
        sum[0] += distance * distance;
      });
  matrix.gather(squares[0], variance);
  for (int64_t channel = 0; channel < matrix.channels; ++channel) variance[channel] *= share;
}

// All activations known here keep a number within two bounds, which may be infinite.
struct Bounds {
  float low, high;

  template <typename Value>
  Value activated(Value z) const {
    // What is not a number stays so: a training that diverges must not go unnoticed.
    const Value none = {};
    z = z < none + low ? none + low : z;
    return z > none + high ? none + high : z;
  }

  // The gradient to z from that to the activation.
  template <typename Value>
  Value arrived(Value z, Value gradient) const {
    const Value none = {};
    gradient = z > none + low ? gradient : none;
    return z < none + high ? gradient : none;
  }
};

// The normalised map is y · factor + shift; a number for each column.
struct Affine {
  std::vector<float> factor, shift;

  Affine(const Matrix& matrix, const float* scale, const float* bias, const float* mean,
         const float* variance) {
    std::vector<float> factors(matrix.channels), shifts(matrix.channels);
    for (int64_t channel = 0; channel < matrix.channels; ++channel) {
      factors[channel] = scale[channel] / std::sqrt(variance[channel] + kEpsilon);
      shifts[channel] = bias[channel] - mean[channel] * factors[channel];
    }
    factor = matrix.spread(factors.data());
    shift = matrix.spread(shifts.data());
  }
};

// `add` may be null.
inline void scaled(xla::ffi::ThreadPool& threads, const Matrix& matrix, Bounds bounds,
                   const float* y, const Affine& affine, const float* add, float* out) {
  for_each_vector(threads, matrix, [&](auto lanes, int64_t place, int64_t column) {
    auto z = load<lanes>(y + place) * load<lanes>(affine.factor.data() + column) +
             load<lanes>(affine.shift.data() + column);
    if (add) z += load<lanes>(add + place);
    store<lanes>(out + place, bounds.activated(z));
  });
}

struct Gradients {
  float *y, *scale, *bias, *add;  // the last may be null
};

inline void normalise_backward(xla::ffi::ThreadPool& threads, const Matrix& matrix,
                               Bounds bounds, const float* y, const float* scale,
                               const float* bias, const float* mean, const float* variance,
                               const float* add, const float* gradient, Gradients to) {
  const Affine affine(matrix, scale, bias, mean, variance);
  const auto centre = matrix.spread(mean);
  // The gradient to z, which the second pass reads again.
  float* dz = to.add ? to.add : to.y;
  const auto sums =
      column_sums<2>(threads, matrix, [&](auto lanes, int64_t place, int64_t column, auto* sum) {
        const auto value = load<lanes>(y + place);
        auto z = value * load<lanes>(affine.factor.data() + column) +
                 load<lanes>(affine.shift.data() + column);
        if (add) z += load<lanes>(add + place);
        const auto slope = bounds.arrived(z, load<lanes>(gradient + place));
        store<lanes>(dz + place, slope);
        sum[0] += slope;
        sum[1] += slope * (value - load<lanes>(centre.data() + column));
      });
  matrix.gather(sums[0], to.bias);
  matrix.gather(sums[1], to.scale);
  const float count = matrix.rows * (matrix.width / matrix.channels);
  std::vector<float> slopes(matrix.channels), rests(matrix.channels);
  for (int64_t channel = 0; channel < matrix.channels; ++channel) {
    const float inverse = 1.0f / std::sqrt(variance[channel] + kEpsilon);
    const float factor = scale[channel] * inverse;
    to.scale[channel] *= inverse;
    slopes[channel] = to.scale[channel] * factor * inverse / count;
    rests[channel] = to.bias[channel] * factor / count;
  }
  const auto slope = matrix.spread(slopes.data()), rest = matrix.spread(rests.data());
  for_each_vector(threads, matrix, [&](auto lanes, int64_t place, int64_t column) {
    const auto centred = load<lanes>(y + place) - load<lanes>(centre.data() + column);
    store<lanes>(to.y + place,
                 load<lanes>(dz + place) * load<lanes>(affine.factor.data() + column) -
                     (centred * load<lanes>(slope.data() + column) +
                      load<lanes>(rest.data() + column)));
  });
}

}  // namespace convbudget
