// Parts of a kernel's work side by side on XLA's own threads.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <exception>
#include <memory>
#include <thread>
#include <utility>

#include "xla/ffi/api/ffi.h"

namespace convbudget {

// Calls work(number, part) for each part. The calling thread takes parts too, so that it never waits
// for a thread that has not begun: two kernels that wait for each other's threads would do so for
// ever. What a part throws, such as bad_alloc, is thrown here once all parts have ended.
template <typename Parts, typename Work>
void for_each_part(xla::ffi::ThreadPool& threads, const Parts& parts, const Work& work) {
  struct Progress {
    std::atomic<size_t> next{0}, done{0};
    std::atomic_flag failed = ATOMIC_FLAG_INIT;
    std::exception_ptr error;
  };
  const size_t count = parts.size();
  const size_t helpers = std::min<size_t>(std::max<int64_t>(threads.num_threads(), 1), count) - 1;
  auto progress = std::make_shared<Progress>();
  // A thread that comes late finds no part left, and touches nothing of a call that has returned.
  auto take = [progress, count, &parts, &work] {
    size_t number;
    while ((number = progress->next.fetch_add(1)) < count) {
      try {
        work(number, parts[number]);
      } catch (...) {
        if (!progress->failed.test_and_set()) progress->error = std::current_exception();
      }
      progress->done.fetch_add(1, std::memory_order_release);
    }
  };
  for (size_t helper = 0; helper < helpers; ++helper) threads.Schedule(decltype(take)(take));
  take();
  while (progress->done.load(std::memory_order_acquire) < count) std::this_thread::yield();
  if (progress->error) std::rethrow_exception(progress->error);
}

}  // namespace convbudget
