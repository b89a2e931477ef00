// The limits of this machine: multiply-adds in registers, and reading a block of bytes again and again, on one thread or
// on several at once, each with its share of the bytes. Prints the sum over the threads.
//
//     limits BYTES THREADS     prints {"gflops": ..., "readGBs": ...}
#include <sys/mman.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <thread>
#include <vector>

#if defined(__AVX512F__)
constexpr int kLanes = 16;
#elif defined(__AVX__)
constexpr int kLanes = 8;
#else
constexpr int kLanes = 4;
#endif
typedef float Floats __attribute__((vector_size(4 * kLanes)));

static double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

// Keeps the value alive and hides it from the optimizer.
static void keep(Floats& value) {
#if defined(__x86_64__)
  asm volatile("" : "+x"(value));
#else
  asm volatile("" : "+w"(value));
#endif
}

// The best of several rounds; `round` returns how much work it did.
template <typename Round>
static double best(Round round) {
  double rate = 0;
  for (int n = 0; n < 8; n++) {
    const double start = now();
    const double amount = round();
    const double seconds = now() - start;
    if (amount / seconds > rate) rate = amount / seconds;
  }
  return rate;
}

static double multiplyAdds() {
  constexpr int kChains = 12, kRounds = 1 << 21;
  Floats sums[kChains] = {}, a = Floats{} + 1.0f, b = Floats{} + 0.5f;
  for (Floats& sum : sums) keep(sum);
  keep(a), keep(b);
  for (int n = 0; n < kRounds; n++) {
    for (Floats& sum : sums) sum = sum * a + b;
  }
  for (Floats& sum : sums) keep(sum);
  return 2.0 * kChains * kRounds * kLanes;
}

static double read(const float* data, size_t bytes) {
  const size_t count = bytes / sizeof(Floats);
  const int rounds = static_cast<int>(1 + 3e8 / static_cast<double>(bytes));
  const Floats* from = reinterpret_cast<const Floats*>(data);
  for (int n = 0; n < rounds; n++) {
    Floats sums[8] = {};
    size_t i = 0;
    for (; i + 8 <= count; i += 8) {
      for (int j = 0; j < 8; j++) sums[j] += from[i + j];
    }
    for (Floats& sum : sums) keep(sum);
  }
  return static_cast<double>(bytes) * rounds;
}

// The sum over the threads of what each one does while the others run.
template <typename Measure>
static double together(int threads, Measure measure) {
  std::vector<double> rates(threads);
  std::vector<std::thread> others;
  for (int n = 1; n < threads; n++) others.emplace_back([&, n] { rates[n] = measure(); });
  rates[0] = measure();
  for (std::thread& other : others) other.join();
  double sum = 0;
  for (const double rate : rates) sum += rate;
  return sum;
}

static double readShare(size_t bytes) {
  constexpr size_t kHuge = size_t{2} << 20;
  void* memory = nullptr;
  if (posix_memalign(&memory, kHuge, (bytes + kHuge - 1) / kHuge * kHuge) != 0) std::abort();
#if defined(MADV_HUGEPAGE)
  if (bytes >= kHuge) madvise(memory, bytes, MADV_HUGEPAGE);
#endif
  float* data = static_cast<float*>(memory);
  for (size_t i = 0; i < bytes / sizeof(float); i++) data[i] = 1;
  const double rate = best([&] { return read(data, bytes); });
  std::free(memory);
  return rate;
}

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  const size_t bytes = std::strtoull(argv[1], nullptr, 10);
  const int threads = std::atoi(argv[2]);
  if (bytes < sizeof(Floats) * 8 || threads < 1) return 2;
  const double flops = together(threads, [] { return best(multiplyAdds); });
  const double rate = together(threads, [&] { return readShare(bytes / threads); });
  std::printf("{\"gflops\": %.2f, \"readGBs\": %.2f}\n", flops / 1e9, rate / 1e9);
}
