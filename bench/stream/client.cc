// Keeps WebSockets busy: each sends a binary frame of float32 as soon as the last one is answered.
//
//     g++ -O2 -std=c++17 bench/stream/client.cc -o build/stream-client
//     build/stream-client PORT PATH CONNECTIONS NUMBERS SECONDS
//
// prints the answers per second and their p50 and p99 in milliseconds, and fails if an answer is not a binary frame.
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;

void fail (const char* what) {
  std::fprintf(stderr, "%s\n", what);
  std::exit(1);
}

struct Connection {
  int socket = -1;
  std::vector<std::uint8_t> received;
  Clock::time_point sent;
};

int connect_to (int port) {
  const int socket = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::connect(socket, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) fail("cannot connect");
  const int on = 1;
  setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  return socket;
}

void send_all (int socket, const void* data, std::size_t size) {
  if (::send(socket, data, size, MSG_NOSIGNAL) != static_cast<ssize_t>(size)) fail("cannot send");
}

void open_stream (int socket, const std::string& path) {
  const std::string head = "GET " + path + " HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n";
  send_all(socket, head.data(), head.size());
  std::string answer;
  while (answer.find("\r\n\r\n") == std::string::npos) {
    char buffer[4096];
    const ssize_t size = ::recv(socket, buffer, sizeof buffer, 0);
    if (size <= 0) fail("the server closed the connection");
    answer.append(buffer, static_cast<std::size_t>(size));
  }
  if (answer.compare(0, 12, "HTTP/1.1 101") != 0) fail(answer.c_str());
}

// A binary frame of numbers in [-1, 1), masked as a client's must be.
std::vector<std::uint8_t> frame_of (int numbers, unsigned seed) {
  const std::size_t size = 4 * static_cast<std::size_t>(numbers);
  std::vector<std::uint8_t> frame{0x82};
  if (size < 126) {
    frame.push_back(static_cast<std::uint8_t>(0x80 | size));
  } else {
    if (size > 0xffff) fail("too many numbers");
    frame.insert(frame.end(), {0x80 | 126, static_cast<std::uint8_t>(size >> 8), static_cast<std::uint8_t>(size & 0xff)});
  }
  const std::uint8_t mask[4] = {0x12, 0x34, 0x56, 0x78};
  frame.insert(frame.end(), mask, mask + 4);
  std::srand(seed);
  for (int i = 0; i < numbers; i++) {
    const float value = 2.0f * static_cast<float>(std::rand()) / (static_cast<float>(RAND_MAX) + 1.0f) - 1.0f;
    std::uint8_t bytes[4];
    std::memcpy(bytes, &value, 4);
    for (int k = 0; k < 4; k++) frame.push_back(bytes[k] ^ mask[k]);
  }
  return frame;
}

// The size of the frame that has been received, or 0 if it is not whole.
std::size_t whole_frame (const std::vector<std::uint8_t>& received) {
  if (received.size() < 2) return 0;
  if (received[0] != 0x82) fail("an answer is not a binary frame");
  std::size_t head = 2, size = received[1];
  if (size == 126) {
    if (received.size() < 4) return 0;
    head = 4;
    size = static_cast<std::size_t>(received[2]) << 8 | received[3];
  } else if (size > 126) {
    fail("an answer is too long");
  }
  return received.size() < head + size ? 0 : head + size;
}

}  // namespace

int main (int argc, char** argv) {
  if (argc != 6) fail("expected PORT PATH CONNECTIONS NUMBERS SECONDS");
  const int port = std::atoi(argv[1]), count = std::atoi(argv[3]), numbers = std::atoi(argv[4]);
  const auto length = std::chrono::duration<double>(std::atof(argv[5]));
  const int poll = epoll_create1(0);
  std::vector<Connection> connections(static_cast<std::size_t>(count));
  std::vector<std::vector<std::uint8_t>> frames;
  for (unsigned seed = 0; seed < 32; seed++) frames.push_back(frame_of(numbers, seed + 1));
  for (std::size_t i = 0; i < connections.size(); i++) {
    connections[i].socket = connect_to(port);
    open_stream(connections[i].socket, argv[2]);
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.u64 = i;
    epoll_ctl(poll, EPOLL_CTL_ADD, connections[i].socket, &event);
  }
  std::vector<double> times;
  times.reserve(1 << 22);
  std::size_t next = 0;
  const auto ask = [&] (Connection& connection) {
    const auto& frame = frames[next++ % frames.size()];
    connection.sent = Clock::now();
    send_all(connection.socket, frame.data(), frame.size());
  };
  const auto start = Clock::now();
  for (auto& connection : connections) ask(connection);
  std::vector<epoll_event> events(256);
  std::uint8_t buffer[1 << 16];
  while (Clock::now() - start < length) {
    const int ready = epoll_wait(poll, events.data(), static_cast<int>(events.size()), 1000);
    for (int i = 0; i < ready; i++) {
      auto& connection = connections[events[static_cast<std::size_t>(i)].data.u64];
      const ssize_t size = ::recv(connection.socket, buffer, sizeof buffer, 0);
      if (size <= 0) fail("the server closed a connection");
      connection.received.insert(connection.received.end(), buffer, buffer + size);
      const std::size_t frame = whole_frame(connection.received);
      if (frame == 0) continue;
      connection.received.erase(connection.received.begin(), connection.received.begin() + static_cast<std::ptrdiff_t>(frame));
      times.push_back(std::chrono::duration<double, std::milli>(Clock::now() - connection.sent).count());
      ask(connection);
    }
  }
  const double seconds = std::chrono::duration<double>(Clock::now() - start).count();
  for (const auto& connection : connections) ::close(connection.socket);
  std::sort(times.begin(), times.end());
  if (times.empty()) fail("nothing was answered");
  std::printf("%.0f %.3f %.3f\n", static_cast<double>(times.size()) / seconds, times[times.size() / 2], times[times.size() * 99 / 100]);
}
