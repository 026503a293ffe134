// The functions that XLA calls. All maps and kernels are float32.
#include <new>

#include "depthwise.h"
#include "network.h"
#include "normalise.h"
#include "standard.h"
#include "update.h"

namespace convbudget {
namespace {

namespace ffi = xla::ffi;
using Array = ffi::Buffer<ffi::F32, 4>;
using Result = ffi::ResultBuffer<ffi::F32, 4>;
using Shape = ffi::Span<const int64_t>;
using Channels = ffi::Buffer<ffi::F32, 1>;
using ChannelsResult = ffi::ResultBuffer<ffi::F32, 1>;
using Kernel = void (*)(ffi::ThreadPool&, const Convolution&, const float*, const float*, float*);

// Of the shapes of a convolution's input [n, h, w, in] and kernel [k, k, in or 1, out].
Convolution sizes(Shape x, Shape kernel, int64_t stride) {
  return {x[0],   x[3], kernel[3], kernel[0], stride, Axis(x[1], kernel[0], stride),
          Axis(x[2], kernel[1], stride)};
}

template <Kernel kForward>
ffi::Error forward(ffi::ThreadPool threads, Array x, Array kernel, Result y, int64_t stride) {
  kForward(threads, sizes(x.dimensions(), kernel.dimensions(), stride), x.typed_data(),
           kernel.typed_data(), y->typed_data());
  return ffi::Error::Success();
}

template <Kernel kToInput>
ffi::Error to_input(ffi::ThreadPool threads, Array dy, Array kernel, Result dx, int64_t stride) {
  kToInput(threads, sizes(dx->dimensions(), kernel.dimensions(), stride), dy.typed_data(),
           kernel.typed_data(), dx->typed_data());
  return ffi::Error::Success();
}

template <Kernel kToKernel>
ffi::Error to_kernel(ffi::ThreadPool threads, Array x, Array dy, Result dk, int64_t stride) {
  kToKernel(threads, sizes(x.dimensions(), dk->dimensions(), stride), x.typed_data(),
            dy.typed_data(), dk->typed_data());
  return ffi::Error::Success();
}

Matrix matrix_of(const Array& y) {
  const Shape shape = y.dimensions();
  return Matrix(shape[0] * shape[1] * shape[2], shape[3]);
}

ffi::Error find_moments(ffi::ThreadPool threads, Array y, ChannelsResult mean,
                        ChannelsResult variance) {
  moments(threads, matrix_of(y), y.typed_data(), mean->typed_data(), variance->typed_data());
  return ffi::Error::Success();
}

// The addition is the last argument, if there is one.
ffi::Error find_scaled(ffi::ThreadPool threads, Array y, Channels scale, Channels bias,
                       Channels mean, Channels variance, ffi::RemainingArgs rest, Result out,
                       float low, float high) {
  const Matrix matrix = matrix_of(y);
  const Affine affine(matrix, scale.typed_data(), bias.typed_data(), mean.typed_data(),
                      variance.typed_data());
  const float* add = rest.empty() ? nullptr : rest.get<Array>(0)->typed_data();
  scaled(threads, matrix, Bounds{low, high}, y.typed_data(), affine, add, out->typed_data());
  return ffi::Error::Success();
}

// The addition is the last argument and its gradient the last result, if there is one.
ffi::Error find_gradients(ffi::ThreadPool threads, Array y, Channels scale, Channels bias,
                          Channels mean, Channels variance, Array gradient, ffi::RemainingArgs rest,
                          Result dy, ChannelsResult to_scale, ChannelsResult to_bias,
                          ffi::RemainingRets more, float low, float high) {
  const float* add = rest.empty() ? nullptr : rest.get<Array>(0)->typed_data();
  float* to_add = more.empty() ? nullptr : (*more.get<Array>(0))->typed_data();
  normalise_backward(
      threads, matrix_of(y), Bounds{low, high}, y.typed_data(), scale.typed_data(),
      bias.typed_data(), mean.typed_data(), variance.typed_data(), add, gradient.typed_data(),
      {dy->typed_data(), to_scale->typed_data(), to_bias->typed_data(), to_add});
  return ffi::Error::Success();
}

using Plan = ffi::Buffer<ffi::S32, 2>;

// Zeros behind the numbers that a result has: it has room for more layers.
void fill(ChannelsResult result, int64_t used) {
  std::fill(result->typed_data() + used, result->typed_data() + result->element_count(), 0.0f);
}

// Calls work(network), unless its layers do not go with the room for them, or memory runs out.
template <typename Work>
ffi::Error of_network(Array x, Plan plan, Channels kernel, Channels scale, int64_t saved,
                      const Work& work) {
  const int64_t weights = kernel.element_count(), channels = scale.element_count();
  try {
    const Network network(x.dimensions()[0], plan.typed_data(), plan.dimensions()[0]);
    if (network.saved > saved || network.weights > weights || network.channels > channels)
      return ffi::Error::InvalidArgument("there is no room for these layers");
    work(network);
  } catch (const std::bad_alloc&) {
    return ffi::Error(ffi::ErrorCode::kResourceExhausted, "out of memory");
  }
  return ffi::Error::Success();
}

ffi::Error forward_all(ffi::ThreadPool threads, Plan plan, Channels kernel, Channels scale,
                       Channels bias, Array x, Result features, ChannelsResult mean,
                       ChannelsResult variance, ChannelsResult saved) {
  const Weights weights{kernel.typed_data(), scale.typed_data(), bias.typed_data()};
  return of_network(x, plan, kernel, scale, saved->element_count(), [&](const Network& network) {
    network_forward(threads, network, weights, x.typed_data(), features->typed_data(),
                    mean->typed_data(), variance->typed_data(), saved->typed_data());
    for (ChannelsResult result : {mean, variance}) fill(result, network.channels);
  });
}

ffi::Error evaluate_all(ffi::ThreadPool threads, Plan plan, Channels kernel, Channels scale,
                        Channels bias, Channels mean, Channels variance, Array x,
                        Result features) {
  const Weights weights{kernel.typed_data(), scale.typed_data(), bias.typed_data()};
  constexpr int64_t kNothingSaved = std::numeric_limits<int64_t>::max();
  return of_network(x, plan, kernel, scale, kNothingSaved, [&](const Network& network) {
    network_evaluate(threads, network, weights, {mean.typed_data(), variance.typed_data()},
                     x.typed_data(), features->typed_data());
  });
}

ffi::Error backward_all(ffi::ThreadPool threads, Plan plan, Channels kernel, Channels scale,
                        Channels bias, Channels mean, Channels variance, Array x, Channels saved,
                        Array gradient, ChannelsResult to_kernel, ChannelsResult to_scale,
                        ChannelsResult to_bias) {
  const Weights weights{kernel.typed_data(), scale.typed_data(), bias.typed_data()};
  return of_network(x, plan, kernel, scale, saved.element_count(), [&](const Network& network) {
    network_backward(threads, network, weights, {mean.typed_data(), variance.typed_data()},
                     x.typed_data(), saved.typed_data(), gradient.typed_data(),
                     to_kernel->typed_data(), to_scale->typed_data(), to_bias->typed_data());
    fill(to_kernel, network.weights);
    for (ChannelsResult result : {to_scale, to_bias}) fill(result, network.channels);
  });
}

// What all three begin with: the plan, kernels, scales and biases.
auto bind_network() {
  return ffi::Ffi::Bind().Ctx<ffi::ThreadPool>().Arg<Plan>().Arg<Channels>().Arg<Channels>().Arg<
      Channels>();
}

using Scalar = ffi::Buffer<ffi::F32, 0>;
using Count = ffi::Buffer<ffi::S32, 0>;
using Decays = ffi::Span<const float>;

const float* read(const ffi::RemainingArgs& given, size_t place) {
  return given.get<ffi::AnyBuffer>(place)->typed_data<float>();
}
float* result(const ffi::RemainingRets& results, size_t place) {
  return (*results.get<ffi::AnyBuffer>(place))->typed_data<float>();
}

// Of each parameter its value, gradient and two moments; results are values and moments. `decays`:
// of each parameter.
ffi::Error adam(Count step, Scalar rate, ffi::RemainingArgs given, ffi::RemainingRets results,
                Decays decays) {
  const Adam optimiser(step.typed_data()[0], rate.typed_data()[0]);
  for (size_t p = 0; p < decays.size(); ++p)
    optimiser.update(given.get<ffi::AnyBuffer>(4 * p)->element_count(), decays[p],
                     read(given, 4 * p), read(given, 4 * p + 1), read(given, 4 * p + 2),
                     read(given, 4 * p + 3), result(results, 3 * p), result(results, 3 * p + 1),
                     result(results, 3 * p + 2));
  return ffi::Error::Success();
}

// Of each parameter its value, gradient and trace; results are values and traces.
ffi::Error momentum(Scalar rate, ffi::RemainingArgs given, ffi::RemainingRets results,
                    Decays decays) {
  for (size_t p = 0; p < decays.size(); ++p)
    momentum_update(given.get<ffi::AnyBuffer>(3 * p)->element_count(), rate.typed_data()[0],
                    decays[p], read(given, 3 * p), read(given, 3 * p + 1), read(given, 3 * p + 2),
                    result(results, 2 * p), result(results, 2 * p + 1));
  return ffi::Error::Success();
}

// Old arrays, then as many new ones.
ffi::Error blended(Scalar kept, ffi::RemainingArgs given, ffi::RemainingRets results) {
  for (size_t p = 0; p < results.size(); ++p)
    blend(given.get<ffi::AnyBuffer>(p)->element_count(), kept.typed_data()[0], read(given, p),
          read(given, results.size() + p), result(results, p));
  return ffi::Error::Success();
}

}  // namespace
}  // namespace convbudget

#define CONVBUDGET_HANDLER(name, function)                        \
  XLA_FFI_DEFINE_HANDLER_SYMBOL(name, function,                    \
                                xla::ffi::Ffi::Bind()              \
                                    .Ctx<xla::ffi::ThreadPool>()   \
                                    .Arg<convbudget::Array>()      \
                                    .Arg<convbudget::Array>()      \
                                    .Ret<convbudget::Array>()      \
                                    .Attr<int64_t>("stride"))

CONVBUDGET_HANDLER(standard_forward, convbudget::forward<convbudget::standard_forward>);
CONVBUDGET_HANDLER(standard_to_input, convbudget::to_input<convbudget::standard_to_input>);
CONVBUDGET_HANDLER(standard_to_kernel, convbudget::to_kernel<convbudget::standard_to_kernel>);
CONVBUDGET_HANDLER(depthwise_forward, convbudget::forward<convbudget::depthwise_forward>);
CONVBUDGET_HANDLER(depthwise_to_input, convbudget::to_input<convbudget::depthwise_to_input>);
CONVBUDGET_HANDLER(depthwise_to_kernel, convbudget::to_kernel<convbudget::depthwise_to_kernel>);

XLA_FFI_DEFINE_HANDLER_SYMBOL(moments, convbudget::find_moments,
                              xla::ffi::Ffi::Bind()
                                  .Ctx<xla::ffi::ThreadPool>()
                                  .Arg<convbudget::Array>()
                                  .Ret<convbudget::Channels>()
                                  .Ret<convbudget::Channels>());
XLA_FFI_DEFINE_HANDLER_SYMBOL(scaled, convbudget::find_scaled,
                              xla::ffi::Ffi::Bind()
                                  .Ctx<xla::ffi::ThreadPool>()
                                  .Arg<convbudget::Array>()
                                  .Arg<convbudget::Channels>()
                                  .Arg<convbudget::Channels>()
                                  .Arg<convbudget::Channels>()
                                  .Arg<convbudget::Channels>()
                                  .RemainingArgs()
                                  .Ret<convbudget::Array>()
                                  .Attr<float>("low")
                                  .Attr<float>("high"));
XLA_FFI_DEFINE_HANDLER_SYMBOL(normalise_backward, convbudget::find_gradients,
                              xla::ffi::Ffi::Bind()
                                  .Ctx<xla::ffi::ThreadPool>()
                                  .Arg<convbudget::Array>()
                                  .Arg<convbudget::Channels>()
                                  .Arg<convbudget::Channels>()
                                  .Arg<convbudget::Channels>()
                                  .Arg<convbudget::Channels>()
                                  .Arg<convbudget::Array>()
                                  .RemainingArgs()
                                  .Ret<convbudget::Array>()
                                  .Ret<convbudget::Channels>()
                                  .Ret<convbudget::Channels>()
                                  .RemainingRets()
                                  .Attr<float>("low")
                                  .Attr<float>("high"));
XLA_FFI_DEFINE_HANDLER_SYMBOL(adam, convbudget::adam,
                              xla::ffi::Ffi::Bind()
                                  .Arg<convbudget::Count>()
                                  .Arg<convbudget::Scalar>()
                                  .RemainingArgs()
                                  .RemainingRets()
                                  .Attr<convbudget::Decays>("decays"));
XLA_FFI_DEFINE_HANDLER_SYMBOL(momentum, convbudget::momentum,
                              xla::ffi::Ffi::Bind()
                                  .Arg<convbudget::Scalar>()
                                  .RemainingArgs()
                                  .RemainingRets()
                                  .Attr<convbudget::Decays>("decays"));
XLA_FFI_DEFINE_HANDLER_SYMBOL(blended, convbudget::blended,
                              xla::ffi::Ffi::Bind()
                                  .Arg<convbudget::Scalar>()
                                  .RemainingArgs()
                                  .RemainingRets());
XLA_FFI_DEFINE_HANDLER_SYMBOL(network_forward, convbudget::forward_all,
                              convbudget::bind_network()
                                  .Arg<convbudget::Array>()
                                  .Ret<convbudget::Array>()
                                  .Ret<convbudget::Channels>()
                                  .Ret<convbudget::Channels>()
                                  .Ret<convbudget::Channels>());
XLA_FFI_DEFINE_HANDLER_SYMBOL(network_evaluate, convbudget::evaluate_all,
                              convbudget::bind_network()
                                  .Arg<convbudget::Channels>()
                                  .Arg<convbudget::Channels>()
                                  .Arg<convbudget::Array>()
                                  .Ret<convbudget::Array>());
XLA_FFI_DEFINE_HANDLER_SYMBOL(network_backward, convbudget::backward_all,
                              convbudget::bind_network()
                                  .Arg<convbudget::Channels>()
                                  .Arg<convbudget::Channels>()
                                  .Arg<convbudget::Array>()
                                  .Arg<convbudget::Channels>()
                                  .Arg<convbudget::Array>()
                                  .Ret<convbudget::Channels>()
                                  .Ret<convbudget::Channels>()
                                  .Ret<convbudget::Channels>());
