// Sizes of a convolution with SAME padding: maps [n, h, w, c], kernels [k, k, in, out].
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

namespace convbudget {

// One axis of pixels, padded as XLA's SAME pads it.
struct Axis {
  int64_t inputs, outputs, before;  // pixels, and those of padding before the first
  int64_t padded;                   // pixels with the padding, all that any tap reads

  Axis(int64_t inputs, int64_t kernel, int64_t stride)
      : inputs(inputs), outputs((inputs + stride - 1) / stride) {
    const int64_t read = (outputs - 1) * stride + kernel;
    before = std::max<int64_t>(read - inputs, 0) / 2;
    padded = std::max(read, inputs);
  }
};

// `inputs` and `outputs` are channels.
struct Convolution {
  int64_t images, inputs, outputs, kernel, stride;
  Axis rows, columns;

  int64_t in_image() const { return rows.inputs * columns.inputs * inputs; }
  int64_t out_image() const { return rows.outputs * columns.outputs * outputs; }
};

// Output pixels of a convolution's gradient to its input that the same taps reach: those in every
// stride-th row and column. Along one axis, input i is reached by output o through tap t where
// o · stride + t = i + before.
struct Phase {
  int64_t first;   // input pixel
  int64_t pixels;  // of the input
  int64_t taps;    // that reach them
  int64_t tap;     // the first of them; the others follow at the stride
  int64_t output;  // that reaches the first input through the first tap

  Phase(const Axis& axis, int64_t kernel, int64_t stride, int64_t first)
      : first(first), pixels((axis.inputs - first + stride - 1) / stride) {
    tap = (first + axis.before) % stride;
    taps = tap < kernel ? (kernel - tap + stride - 1) / stride : 0;
    output = (first + axis.before - tap) / stride;
  }
};

inline std::vector<Phase> phases_of(const Axis& axis, int64_t kernel, int64_t stride) {
  std::vector<Phase> phases;
  for (int64_t first = 0; first < std::min(stride, axis.inputs); ++first)
    phases.emplace_back(axis, kernel, stride, first);
  return phases;
}

// Room for one image [rows, columns, channels] with zeros around it.
class Padded {
 public:
  Padded(int64_t rows, int64_t columns, int64_t channels)
      : rows_(rows), columns_(columns), channels_(channels) {}

  int64_t place(int64_t row, int64_t column) const { return (row * columns_ + column) * channels_; }

  // Returns the image with its first pixel at (top, left): itself, where nothing is around it.
  const float* with(const float* image, int64_t rows, int64_t columns, int64_t top, int64_t left) {
    if (rows == rows_ && columns == columns_) return image;
    data_.resize(rows_ * columns_ * channels_);
    for (int64_t row = 0; row < rows; ++row)
      std::copy_n(image + row * columns * channels_, columns * channels_,
                  data_.data() + place(row + top, left));
    return data_.data();
  }

 private:
  int64_t rows_, columns_, channels_;
  std::vector<float> data_;
};

// Images that one thread takes. How they are divided depends on the sizes alone, so that sums over
// images are taken in the same order by any number of threads.
struct Part {
  int64_t first, last;
};

inline std::vector<Part> parts_of(int64_t images, int64_t multiplies_of_image) {
  // Less work than this is done before another thread has begun.
  constexpr int64_t kWorth = 1 << 24, kMost = 8;
  const int64_t worth = multiplies_of_image * images / kWorth;
  const int64_t count = std::max<int64_t>(1, std::min({worth, kMost, images}));
  std::vector<Part> parts;
  for (int64_t part = 0; part < count; ++part)
    parts.push_back({images * part / count, images * (part + 1) / count});
  return parts;
}

// A sum for each part, and at the end of them all, in their order.
class PartialSums {
 public:
  PartialSums(size_t parts, size_t size) : size_(size), data_(parts * size) {}

  float* of(size_t part) { return data_.data() + part * size_; }

  void total(float* to) const {
    std::copy_n(data_.begin(), size_, to);
    for (size_t first = size_; first < data_.size(); first += size_)
      for (size_t place = 0; place < size_; ++place) to[place] += data_[first + place];
  }

 private:
  size_t size_;
  std::vector<float> data_;
};

}  // namespace convbudget
