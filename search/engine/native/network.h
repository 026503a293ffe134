// All layers of a network in one call, forward and backward: the kernels of each, one after another.
// XLA then compiles the same few operations for every network, whatever its layers.
#pragma once

#include <cstdint>
#include <limits>
#include <memory>

#include "depthwise.h"
#include "normalise.h"
#include "standard.h"

namespace convbudget {

// Where a layer reads the image, and where it adds nothing.
constexpr int64_t kImage = -1, kNothing = -2;
// Marks the end of the plan.
constexpr int64_t kNoLayer = -2;

// Floats from the start of a cache line, that nobody has set.
class Room {
 public:
  Room() = default;
  explicit Room(int64_t floats) : held_(new float[floats + kLine]) {}

  float* data() const {
    const auto place = reinterpret_cast<uintptr_t>(held_.get());
    return held_.get() + (-place / sizeof(float)) % kLine;
  }
  explicit operator bool() const { return held_ != nullptr; }

  static constexpr int64_t kLine = 16;
  static int64_t lines(int64_t floats) { return (floats + kLine - 1) / kLine * kLine; }

 private:
  std::unique_ptr<float[]> held_;
};

// A convolution without bias, BatchNorm, an optional addition and the activation.
struct Layer {
  bool depthwise;
  int64_t source, added;  // layers whose outputs are read; or kImage, and kNothing
  Bounds bounds;
  Convolution convolution;
  Matrix matrix;              // of its output
  int64_t weights, channels;  // places of its kernel and of its channels among those of all layers
  int64_t y, out;             // places of the convolution's result and of the output among those saved

  void forward(xla::ffi::ThreadPool& threads, const float* x, const float* kernel, float* y) const {
    (depthwise ? depthwise_forward : standard_forward)(threads, convolution, x, kernel, y);
  }
  void to_input(xla::ffi::ThreadPool& threads, const float* dy, const float* kernel,
                float* dx) const {
    (depthwise ? depthwise_to_input : standard_to_input)(threads, convolution, dy, kernel, dx);
  }
  void to_kernel(xla::ffi::ThreadPool& threads, const float* x, const float* dy, float* dk) const {
    (depthwise ? depthwise_to_kernel : standard_to_kernel)(threads, convolution, x, dy, dk);
  }
  int64_t floats() const { return convolution.images * convolution.out_image(); }
};

// What search/engine/ops/network.py writes down as ten numbers a layer. Each output but the last is
// read by some layer.
struct Network {
  static constexpr int64_t kNumbers = 10;
  std::vector<Layer> layers;
  int64_t weights = 0, channels = 0;  // of all layers
  int64_t saved = 0;                  // floats that the backward pass needs of the forward pass

  Network(int64_t images, const int32_t* plan, int64_t rows_of_plan) {
    constexpr float kNone = std::numeric_limits<float>::infinity();
    const Bounds bounds[] = {{-kNone, kNone}, {0, kNone}, {0, 6}};
    for (int64_t row = 0; row < rows_of_plan && plan[row * kNumbers] != kNoLayer; ++row) {
      const int32_t* of = plan + row * kNumbers;
      const Axis rows(of[4], of[8], of[9]), columns(of[5], of[8], of[9]);
      const Convolution c{images, of[6], of[7], of[8], of[9], rows, columns};
      const Matrix matrix(images * rows.outputs * columns.outputs, c.outputs);
      const int64_t floats = Room::lines(images * c.out_image());
      layers.push_back({of[0] == 1, of[1], of[2], bounds[of[3]], c, matrix, weights, channels,
                        saved, saved + floats});
      weights += c.kernel * c.kernel * (of[0] == 1 ? 1 : c.inputs) * c.outputs;
      channels += c.outputs;
      saved += 2 * floats;
    }
    // The last output is the result itself.
    saved -= Room::lines(layers.back().floats());
  }
};

// Numbers of all layers, in their order. The gradients have the same layout.
struct Weights {
  const float *kernel, *scale, *bias;
};
struct Statistics {
  const float *mean, *variance;
};

inline void network_forward(xla::ffi::ThreadPool& threads, const Network& network, Weights weights,
                            const float* x, float* features, float* mean, float* variance,
                            float* saved) {
  const auto& last = network.layers.back();
  auto output = [&](int64_t i) -> float* {
    return &network.layers[i] == &last ? features : saved + network.layers[i].out;
  };
  for (size_t i = 0; i < network.layers.size(); ++i) {
    const Layer& layer = network.layers[i];
    float* y = saved + layer.y;
    const int64_t at = layer.channels;
    layer.forward(threads, layer.source == kImage ? x : output(layer.source),
                  weights.kernel + layer.weights, y);
    moments(threads, layer.matrix, y, mean + at, variance + at);
    const Affine affine(layer.matrix, weights.scale + at, weights.bias + at, mean + at,
                        variance + at);
    scaled(threads, layer.matrix, layer.bounds, y, affine,
           layer.added == kNothing ? nullptr : output(layer.added), output(i));
  }
}

inline void network_evaluate(xla::ffi::ThreadPool& threads, const Network& network, Weights weights,
                             Statistics statistics, const float* x, float* features) {
  const size_t count = network.layers.size();
  // The last layer that reads each output: it is given back then.
  std::vector<size_t> until(count, count);
  for (size_t i = 0; i < count; ++i)
    for (const int64_t read : {network.layers[i].source, network.layers[i].added})
      if (read >= 0) until[read] = i;
  std::vector<Room> outputs(count);
  for (size_t i = 0; i < count; ++i) {
    const Layer& layer = network.layers[i];
    const int64_t at = layer.channels;
    const Room y(layer.floats());
    layer.forward(threads, layer.source == kImage ? x : outputs[layer.source].data(),
                  weights.kernel + layer.weights, y.data());
    if (i + 1 < count) outputs[i] = Room(layer.floats());
    const Affine affine(layer.matrix, weights.scale + at, weights.bias + at, statistics.mean + at,
                        statistics.variance + at);
    scaled(threads, layer.matrix, layer.bounds, y.data(), affine,
           layer.added == kNothing ? nullptr : outputs[layer.added].data(),
           i + 1 < count ? outputs[i].data() : features);
    for (size_t read = 0; read < i; ++read)
      if (until[read] == i) outputs[read] = Room();
  }
}

// Gradients that reach a layer's output, of which there may be two.
class Arriving {
 public:
  explicit Arriving(const Network& network) : network_(network), sums_(network.layers.size()) {}

  // Calls write(place), which sets a gradient to a layer's output, and adds it to what was there.
  template <typename Write>
  void add(xla::ffi::ThreadPool& threads, int64_t layer, const Write& write) {
    Room fresh(network_.layers[layer].floats());
    write(fresh.data());
    if (!sums_[layer]) {
      sums_[layer] = std::move(fresh);
      return;
    }
    float* sum = sums_[layer].data();
    const float* more = fresh.data();
    for_each_vector(threads, network_.layers[layer].matrix, [&](auto lanes, int64_t place, int64_t) {
      store<lanes>(sum + place, load<lanes>(sum + place) + load<lanes>(more + place));
    });
  }

  Room take(int64_t layer) { return std::move(sums_[layer]); }

 private:
  const Network& network_;
  std::vector<Room> sums_;
};

inline void network_backward(xla::ffi::ThreadPool& threads, const Network& network, Weights weights,
                             Statistics statistics, const float* x, const float* saved,
                             const float* gradient, float* to_kernel, float* to_scale,
                             float* to_bias) {
  Arriving arriving(network);
  auto output = [&](int64_t i) { return saved + network.layers[i].out; };
  for (int64_t i = network.layers.size() - 1; i >= 0; --i) {
    const Layer& layer = network.layers[i];
    const bool last = i + 1 == int64_t(network.layers.size());
    const int64_t at = layer.channels;
    Room dy(layer.floats());
    {
      const Room reached = last ? Room() : arriving.take(i);
      auto normalise = [&](float* to_add) {
        normalise_backward(threads, layer.matrix, layer.bounds, saved + layer.y, weights.scale + at,
                           weights.bias + at, statistics.mean + at, statistics.variance + at,
                           layer.added == kNothing ? nullptr : output(layer.added),
                           last ? gradient : reached.data(),
                           {dy.data(), to_scale + at, to_bias + at, to_add});
      };
      if (layer.added == kNothing) normalise(nullptr);
      else arriving.add(threads, layer.added, normalise);
    }
    layer.to_kernel(threads, layer.source == kImage ? x : output(layer.source), dy.data(),
                    to_kernel + layer.weights);
    if (layer.source != kImage)
      arriving.add(threads, layer.source, [&](float* dx) {
        layer.to_input(threads, dy.data(), weights.kernel + layer.weights, dx);
      });
  }
}

}  // namespace convbudget
