// Depthwise convolutions: a vector of channels at a time, of images copied with padding around them.
#pragma once

#include "convolution.h"
#include "parallel.h"
#include "vectors.h"

namespace convbudget {

// What a map is computed from: places of the taps beside a pixel's own, and their weights' places;
// steps between pixels read and between outputs, in floats.
struct DepthwiseSums {
  std::vector<int64_t> taps, weights;
  int64_t rows, columns;
  int64_t from_row, from_column, to_row, to_column;
};

template <int kLanes, int kPixels>
inline void sum_channels(const DepthwiseSums& sums, const float* from, const float* kernel,
                         float* to) {
  Vector<kLanes> total[kPixels] = {};
  for (size_t tap = 0; tap < sums.taps.size(); ++tap) {
    const float* pixels = from + sums.taps[tap];
    const Vector<kLanes> weight = load<kLanes>(kernel + sums.weights[tap]);
    for (int p = 0; p < kPixels; ++p)
      total[p] += load<kLanes>(pixels + p * sums.from_column) * weight;
  }
  for (int p = 0; p < kPixels; ++p) store<kLanes>(to + p * sums.to_column, total[p]);
}

inline void sum_map(const DepthwiseSums& sums, int64_t channels, const float* from,
                    const float* kernel, float* to) {
  for (int64_t row = 0; row < sums.rows; ++row, from += sums.from_row, to += sums.to_row)
    for_each_block<1>(channels, [&](auto lanes, auto, int64_t first) {
      const float* pixels = from + first;
      float* out = to + first;
      int64_t column = 0;
      for (; column + 4 <= sums.columns; column += 4) {
        sum_channels<lanes, 4>(sums, pixels, kernel + first, out);
        pixels += 4 * sums.from_column, out += 4 * sums.to_column;
      }
      for (; column < sums.columns; ++column) {
        sum_channels<lanes, 1>(sums, pixels, kernel + first, out);
        pixels += sums.from_column, out += sums.to_column;
      }
    });
}

inline std::vector<Part> depthwise_parts(const Convolution& c) {
  // Bound by memory: a pixel's nine products take the time of some thirty.
  return parts_of(c.images, 4 * c.kernel * c.kernel * std::max(c.in_image(), c.out_image()));
}

inline void depthwise_forward(xla::ffi::ThreadPool& threads, const Convolution& c, const float* x,
                              const float* kernel, float* y) {
  for_each_part(threads, depthwise_parts(c), [&](size_t, const Part& part) {
    Padded padded(c.rows.padded, c.columns.padded, c.inputs);
    DepthwiseSums sums{{}, {}, c.rows.outputs, c.columns.outputs,
                       padded.place(c.stride, 0), padded.place(0, c.stride),
                       c.columns.outputs * c.inputs, c.inputs};
    for (int64_t tap = 0; tap < c.kernel * c.kernel; ++tap) {
      sums.taps.push_back(padded.place(tap / c.kernel, tap % c.kernel));
      sums.weights.push_back(tap * c.inputs);
    }
    for (int64_t n = part.first; n < part.last; ++n) {
      const float* image = padded.with(x + n * c.in_image(), c.rows.inputs, c.columns.inputs,
                                       c.rows.before, c.columns.before);
      sum_map(sums, c.inputs, image, kernel, y + n * c.out_image());
    }
  });
}

inline void depthwise_to_input(xla::ffi::ThreadPool& threads, const Convolution& c, const float* dy,
                               const float* kernel, float* dx) {
  const int64_t k = c.kernel, s = c.stride;
  const auto tall = phases_of(c.rows, k, s), broad = phases_of(c.columns, k, s);
  for_each_part(threads, depthwise_parts(c), [&](size_t, const Part& part) {
    // No tap reaches further out than k pixels.
    Padded padded(c.rows.outputs + 2 * k, c.columns.outputs + 2 * k, c.inputs);
    std::vector<DepthwiseSums> phases;
    for (const Phase& row : tall)
      for (const Phase& column : broad) {
        DepthwiseSums sums{{}, {}, row.pixels, column.pixels, padded.place(1, 0), padded.place(0, 1),
                           s * c.columns.inputs * c.inputs, s * c.inputs};
        for (int64_t r = 0; r < row.taps; ++r)
          for (int64_t q = 0; q < column.taps; ++q) {
            sums.taps.push_back(padded.place(k + row.output - r, k + column.output - q));
            sums.weights.push_back(((row.tap + r * s) * k + column.tap + q * s) * c.inputs);
          }
        phases.push_back(std::move(sums));
      }
    for (int64_t n = part.first; n < part.last; ++n) {
      const float* image =
          padded.with(dy + n * c.out_image(), c.rows.outputs, c.columns.outputs, k, k);
      for (size_t p = 0; p < phases.size(); ++p) {
        const int64_t row = tall[p / broad.size()].first, column = broad[p % broad.size()].first;
        sum_map(phases[p], c.inputs, image, kernel,
                dx + n * c.in_image() + (row * c.columns.inputs + column) * c.inputs);
      }
    }
  });
}

// Adds to `to` [kTaps][c] the products of an image, of a row's taps beside each other.
template <int kLanes, int kTaps>
inline void add_channels(const Convolution& c, int64_t row_step, const float* from, const float* dy,
                         float* to) {
  // Two of each, so that a sum need not wait for the one before.
  Vector<kLanes> total[2][kTaps] = {};
  for (int64_t row = 0; row < c.rows.outputs; ++row) {
    const float* pixels = from + row * row_step;
    auto add = [&](int turn) {
      const Vector<kLanes> gradient = load<kLanes>(dy);
      for (int t = 0; t < kTaps; ++t)
        total[turn][t] += load<kLanes>(pixels + t * c.inputs) * gradient;
      pixels += c.stride * c.inputs;
      dy += c.inputs;
    };
    int64_t column = 0;
    for (; column + 2 <= c.columns.outputs; column += 2) add(0), add(1);
    if (column < c.columns.outputs) add(0);
  }
  for (int t = 0; t < kTaps; ++t) {
    float* place = to + t * c.inputs;
    store<kLanes>(place, load<kLanes>(place) + total[0][t] + total[1][t]);
  }
}

inline void depthwise_to_kernel(xla::ffi::ThreadPool& threads, const Convolution& c, const float* x,
                                const float* dy, float* dk) {
  const auto parts = depthwise_parts(c);
  PartialSums sums(parts.size(), c.kernel * c.kernel * c.inputs);
  for_each_part(threads, parts, [&](size_t number, const Part& part) {
    Padded padded(c.rows.padded, c.columns.padded, c.inputs);
    for (int64_t n = part.first; n < part.last; ++n) {
      const float* image = padded.with(x + n * c.in_image(), c.rows.inputs, c.columns.inputs,
                                       c.rows.before, c.columns.before);
      const float* arriving = dy + n * c.out_image();
      for_each_block<1>(c.inputs, [&](auto lanes, auto, int64_t first) {
        for (int64_t row = 0; row < c.kernel; ++row) {
          auto run = [&](int64_t column, auto taps) {
            add_channels<lanes, taps>(c, padded.place(c.stride, 0), image + padded.place(row, column) + first,
                                      arriving + first,
                                      sums.of(number) + (row * c.kernel + column) * c.inputs + first);
          };
          int64_t column = 0;
          for (; column + 3 <= c.kernel; column += 3) run(column, Number<3>());
          for (; column < c.kernel; ++column) run(column, Number<1>());
        }
      });
    }
  });
  sums.total(dk);
}

}  // namespace convbudget
