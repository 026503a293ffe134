// Standard convolutions: sums of products of one pixel's number and a vector of output channels.
//
// In an image with its padding written out, the numbers under a row of taps lie side by side, column
// after column, channel after channel. So a convolution is a few products of such runs, from a
// place of each pixel's own, with the kernel's rows, and columns of a matrix are never laid out.
#pragma once

#include "convolution.h"
#include "parallel.h"
#include "vectors.h"

namespace convbudget {

// What a map is computed from, and where it is stored, in floats.
struct Sums {
  std::vector<int64_t> rows;      // of taps, beside a pixel's own place
  int64_t run;                    // numbers under a row of taps
  std::vector<int64_t> from, to;  // places of each pixel
};

template <int kLanes, int kVectors, int kPixels>
inline void sum_pixels(const Sums& sums, const float* image, size_t first, const float* weights,
                       float* to) {
  Vector<kLanes> total[kPixels][kVectors] = {};
  for (const int64_t row : sums.rows) {
    const float* pixels[kPixels];
    for (int p = 0; p < kPixels; ++p) pixels[p] = image + sums.from[first + p] + row;
    for (int64_t i = 0; i < sums.run; ++i, weights += kVectors * kLanes) {
      Vector<kLanes> weight[kVectors];
      for (int v = 0; v < kVectors; ++v) weight[v] = load<kLanes>(weights + v * kLanes);
      for (int p = 0; p < kPixels; ++p)
        for (int v = 0; v < kVectors; ++v) total[p][v] += pixels[p][i] * weight[v];
    }
  }
  for (int p = 0; p < kPixels; ++p)
    for (int v = 0; v < kVectors; ++v)
      store<kLanes>(to + sums.to[first + p] + v * kLanes, total[p][v]);
}

template <int kLanes, int kVectors, int kPixels>
void sum_tiles(const Sums& sums, const float* image, const float* weights, float* to) {
  const size_t pixels = sums.from.size();
  // The last may compute pixels again, instead of there being code for every remainder.
  for (size_t first = 0; first < pixels; first += kPixels)
    sum_pixels<kLanes, kVectors, kPixels>(sums, image, std::min(first, pixels - kPixels), weights,
                                          to);
}

inline void sum_map(const Sums& sums, int64_t outputs, const float* image, const float* weights,
                    float* to) {
  const size_t products = sums.rows.size() * sums.run, pixels = sums.from.size();
  for_each_block(outputs, [&](auto lanes, auto vectors, int64_t first) {
    const float* block = weights + first * products;
    if (pixels >= 8) sum_tiles<lanes, vectors, 8>(sums, image, block, to + first);
    else if (pixels >= 4) sum_tiles<lanes, vectors, 4>(sums, image, block, to + first);
    else sum_tiles<lanes, vectors, 1>(sums, image, block, to + first);
  });
}

// Weights [taps][in][out] in the order they are read: block after block of outputs.
template <typename Weight>
std::vector<float> packed(int64_t inputs, int64_t outputs, int64_t taps, const Weight& weight) {
  std::vector<float> weights;
  weights.reserve(inputs * outputs * taps);
  for_each_block(outputs, [&](auto lanes, auto vectors, int64_t first) {
    for (int64_t tap = 0; tap < taps; ++tap)
      for (int64_t input = 0; input < inputs; ++input)
        for (int64_t output = first; output < first + lanes * vectors; ++output)
          weights.push_back(weight(tap, input, output));
  });
  return weights;
}

inline std::vector<Part> parts_of(const Convolution& c) {
  return parts_of(c.images, c.out_image() * c.kernel * c.kernel * c.inputs);
}

inline void standard_forward(xla::ffi::ThreadPool& threads, const Convolution& c, const float* x,
                             const float* kernel, float* y) {
  const int64_t k = c.kernel, s = c.stride;
  const auto weights = packed(c.inputs, c.outputs, k * k, [&](int64_t t, int64_t i, int64_t o) {
    return kernel[(t * c.inputs + i) * c.outputs + o];
  });
  const Padded sizes(c.rows.padded, c.columns.padded, c.inputs);
  Sums sums{{}, k * c.inputs, {}, {}};
  for (int64_t row = 0; row < k; ++row) sums.rows.push_back(sizes.place(row, 0));
  for (int64_t row = 0; row < c.rows.outputs; ++row)
    for (int64_t column = 0; column < c.columns.outputs; ++column) {
      sums.from.push_back(sizes.place(row * s, column * s));
      sums.to.push_back((row * c.columns.outputs + column) * c.outputs);
    }
  for_each_part(threads, parts_of(c), [&](size_t, const Part& part) {
    Padded padded = sizes;
    for (int64_t n = part.first; n < part.last; ++n)
      sum_map(sums, c.outputs,
              padded.with(x + n * c.in_image(), c.rows.inputs, c.columns.inputs, c.rows.before,
                          c.columns.before),
              weights.data(), y + n * c.out_image());
  });
}

// The gradient to the input: in each phase a convolution of the arriving gradient with some of the
// taps, mirrored, the channels' roles exchanged.
inline void standard_to_input(xla::ffi::ThreadPool& threads, const Convolution& c, const float* dy,
                              const float* kernel, float* dx) {
  const int64_t k = c.kernel, s = c.stride, margin = k - 1;
  const Padded sizes(c.rows.outputs + 2 * margin, c.columns.outputs + 2 * margin, c.outputs);
  std::vector<std::vector<float>> weights;
  std::vector<Sums> phases;
  for (const Phase& row : phases_of(c.rows, k, s))
    for (const Phase& column : phases_of(c.columns, k, s)) {
      Sums sums{{}, column.taps * c.outputs, {}, {}};
      for (int64_t r = 0; r < row.taps; ++r) sums.rows.push_back(sizes.place(margin - r, 0));
      for (int64_t r = 0; r < row.pixels; ++r)
        for (int64_t q = 0; q < column.pixels; ++q) {
          sums.from.push_back(sizes.place(row.output + r, margin + column.output + q + 1 - column.taps));
          sums.to.push_back(((row.first + r * s) * c.columns.inputs + column.first + q * s) * c.inputs);
        }
      phases.push_back(std::move(sums));
      weights.push_back(packed(c.outputs, c.inputs, row.taps * column.taps,
                               [&](int64_t t, int64_t o, int64_t i) {
                                 const int64_t r = row.tap + t / column.taps * s;
                                 const int64_t last = column.taps - 1 - t % column.taps;
                                 const int64_t q = column.tap + last * s;
                                 return kernel[((r * k + q) * c.inputs + i) * c.outputs + o];
                               }));
    }
  for_each_part(threads, parts_of(c), [&](size_t, const Part& part) {
    Padded padded = sizes;
    for (int64_t n = part.first; n < part.last; ++n) {
      const float* image =
          padded.with(dy + n * c.out_image(), c.rows.outputs, c.columns.outputs, margin, margin);
      for (size_t p = 0; p < phases.size(); ++p)
        sum_map(phases[p], c.inputs, image, weights[p].data(), dx + n * c.in_image());
    }
  });
}

// Adds to `to` [kRun][outputs] the products of an image: of numbers side by side under a row of
// taps, and a block of outputs. All sums stay in registers for the whole image.
template <int kLanes, int kVectors, int kRun>
inline void add_products(const Convolution& c, int64_t row_step, const float* from, const float* dy,
                         float* to) {
  Vector<kLanes> total[kRun][kVectors] = {};
  for (int64_t row = 0; row < c.rows.outputs; ++row, from += row_step) {
    const float* pixel = from;
    for (int64_t column = 0; column < c.columns.outputs; ++column) {
      Vector<kLanes> gradient[kVectors];
      for (int v = 0; v < kVectors; ++v) gradient[v] = load<kLanes>(dy + v * kLanes);
      for (int i = 0; i < kRun; ++i)
        for (int v = 0; v < kVectors; ++v) total[i][v] += pixel[i] * gradient[v];
      pixel += c.stride * c.inputs;
      dy += c.outputs;
    }
  }
  for (int i = 0; i < kRun; ++i)
    for (int v = 0; v < kVectors; ++v) {
      float* place = to + i * c.outputs + v * kLanes;
      store<kLanes>(place, load<kLanes>(place) + total[i][v]);
    }
}

template <int kLanes, int kVectors>
void add_row_of_taps(const Convolution& c, int64_t row_step, const float* from, const float* dy,
                     float* to) {
  const int64_t run = c.kernel * c.inputs;
  int64_t i = 0;
  auto take = [&](auto length) {
    for (; i + length <= run; i += length)
      add_products<kLanes, kVectors, length>(c, row_step, from + i, dy, to + i * c.outputs);
  };
  if (run % 12 == 0) take(Number<std::min(12, kSums / kVectors)>());
  take(Number<8>());
  take(Number<3>());
  take(Number<1>());
}

inline void standard_to_kernel(xla::ffi::ThreadPool& threads, const Convolution& c, const float* x,
                               const float* dy, float* dk) {
  const int64_t row_of_taps = c.kernel * c.inputs * c.outputs;
  const auto parts = parts_of(c);
  PartialSums sums(parts.size(), c.kernel * row_of_taps);
  for_each_part(threads, parts, [&](size_t number, const Part& part) {
    Padded padded(c.rows.padded, c.columns.padded, c.inputs);
    for (int64_t n = part.first; n < part.last; ++n) {
      const float* image = padded.with(x + n * c.in_image(), c.rows.inputs, c.columns.inputs,
                                       c.rows.before, c.columns.before);
      for_each_block(c.outputs, [&](auto lanes, auto vectors, int64_t first) {
        for (int64_t row = 0; row < c.kernel; ++row)
          add_row_of_taps<lanes, vectors>(c, padded.place(c.stride, 0), image + padded.place(row, 0),
                                          dy + n * c.out_image() + first,
                                          sums.of(number) + row * row_of_taps + first);
      });
    }
  });
  sums.total(dk);
}

}  // namespace convbudget
