#include "threads.h"

#include <chrono>

#if defined(__linux__)
#include <pthread.h>
#include <sched.h>
#endif

namespace cellserve {
namespace {

void pause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

// If a pool has a thread for each core, pins each thread to one. Otherwise the system may wake two of them on one core, and
// then a thread's share of the weights is in another core's cache.
void settleOnCore(size_t index, size_t threads) {
#if defined(__linux__)
  cpu_set_t all, own;
  if (sched_getaffinity(0, sizeof all, &all) != 0 || static_cast<size_t>(CPU_COUNT(&all)) != threads) return;
  for (int core = 0; core < CPU_SETSIZE; core++) {
    if (!CPU_ISSET(core, &all) || index-- > 0) continue;
    CPU_ZERO(&own);
    CPU_SET(core, &own);
    sched_setaffinity(0, sizeof own, &own);
    return;
  }
#else
  (void)index, (void)threads;
#endif
}

// musl gives a thread a stack of 128 KiB, most of which two of the kernel's functions use. With musl, this call can only raise
// the default stack size.
void allowForStacks() {
#if defined(__linux__) && !defined(__GLIBC__)
  pthread_attr_t large;
  if (pthread_attr_init(&large) != 0) return;
  if (pthread_attr_setstacksize(&large, size_t{1} << 20) == 0) pthread_setattr_default_np(&large);
  pthread_attr_destroy(&large);
#endif
}

}  // namespace

void Turnstile::advance() {
  count_.fetch_add(1);
  // A thread that falls asleep registers in `sleepers_` before it checks the count again, so either that check or this one
  // notices.
  if (sleepers_.load() == 0) return;
  std::lock_guard<std::mutex> lock(mutex_);
  moved_.notify_all();
}

void Turnstile::wait(size_t seen) {
  using Clock = std::chrono::steady_clock;
  constexpr auto kAwake = std::chrono::microseconds(50);
  for (int i = 0; i < 200; i++) {
    if (count() != seen) return;
    pause();
  }
  for (const auto end = Clock::now() + kAwake; Clock::now() < end;) {
    if (count() != seen) return;
    std::this_thread::yield();
  }
  std::unique_lock<std::mutex> lock(mutex_);
  sleepers_.fetch_add(1);
  moved_.wait(lock, [&] { return count_.load() != seen; });
  sleepers_.fetch_sub(1);
}

bool Team::meet() {
  if (members == 1) return !cancelled_.load(std::memory_order_relaxed);
  const size_t round = round_.count();
  if (present_.fetch_add(1) + 1 == members) {
    present_.store(0);
    givenUp_ = cancelled_.load(std::memory_order_relaxed);
    round_.advance();
  } else {
    round_.wait(round);
  }
  return !givenUp_;
}

void Pool::submit(Job& job) {
  if (threads_.empty()) {
    threads_.reserve(size_);
    allowForStacks();
    try {
      for (size_t index = 0; index < size_; index++) threads_.emplace_back(&Pool::serve, this, index, jobs_.count());
    } catch (...) {
      stop();
      throw;
    }
  }
  std::lock_guard<std::mutex> lock(mutex_);
  if (current_ == nullptr) {
    begin(&job);
  } else {
    queue_.push_back(&job);
  }
}

void Pool::stop() {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    stopping_ = true;
    queue_.clear();
    if (current_ == nullptr) {
      begin(nullptr);
    } else {
      current_->team.cancel();
    }
  }
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
  stopping_ = false;
}

void Pool::begin(Job* job) {
  current_ = job;
  working_.store(size_);
  jobs_.advance();
}

void Pool::serve(size_t index, size_t seen) {
  settleOnCore(index, size_);
  for (;; seen++) {
    jobs_.wait(seen);
    Job* job = current_;
    if (job == nullptr) return;
    if (index < job->team.members) job->work(index);
    if (working_.fetch_sub(1) == 1) finish();
  }
}

void Pool::finish() {
  Job* const finished = current_;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    if (!queue_.empty()) {
      Job* const next = queue_.front();
      queue_.pop_front();
      begin(next);
    } else if (stopping_) {
      begin(nullptr);
    } else {
      current_ = nullptr;
    }
  }
  // This comes last, because the job may be gone afterwards. The next job cannot finish before it: that takes this thread too.
  finished->done();
}

}  // namespace cellserve
