// Compute threads that work together on one job after another.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace cellserve {

// A team member's share of `count` things.
struct Share {
  size_t begin, end;
};

inline Share share(size_t count, size_t member, size_t members) {
  return {count * member / members, count * (member + 1) / members};
}

// Waits for a count to change: first awake, because the next step is a few microseconds away; then asleep, because the awaited
// thread may need the core.
class Turnstile {
 public:
  size_t count() const { return count_.load(std::memory_order_acquire); }
  void advance();
  // Returns when the count is no longer `seen`.
  void wait(size_t seen);

 private:
  std::atomic<size_t> count_{0};
  std::atomic<size_t> sleepers_{0};
  std::mutex mutex_;
  std::condition_variable moved_;
};

// The threads that share a job.
class Team {
 public:
  const size_t members;

  explicit Team(size_t members) : members(members) {}
  // Waits until all members have arrived. Returns false, to all of them alike, if the job is cancelled.
  bool meet();
  void cancel() { cancelled_.store(true, std::memory_order_relaxed); }

 private:
  std::atomic<size_t> present_{0};
  std::atomic<bool> cancelled_{false};
  bool givenUp_ = false;  // decided by the last member to arrive, before the others continue
  Turnstile round_;
};

struct Job {
  explicit Job(size_t members) : team(members) {}
  virtual ~Job() = default;
  virtual void work(size_t member) = 0;  // on each of the team's threads
  virtual void done() = 0;               // on the last thread to finish
  Team team;
};

class Pool {
 public:
  explicit Pool(size_t threads) : size_(threads) {}
  ~Pool() { stop(); }
  // Jobs run in order of arrival. The first starts the threads; @throws std::system_error if they cannot start.
  void submit(Job&);
  // Cancels the running job, drops the waiting ones, and joins the threads.
  void stop();

 private:
  void serve(size_t index, size_t seen);
  void begin(Job*);
  void finish();

  const size_t size_;
  std::vector<std::thread> threads_;
  std::mutex mutex_;
  std::deque<Job*> queue_;
  Job* current_ = nullptr;
  bool stopping_ = false;
  std::atomic<size_t> working_{0};
  Turnstile jobs_;
};

}  // namespace cellserve
