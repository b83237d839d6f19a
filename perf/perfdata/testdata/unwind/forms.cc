// Frames of C++: virtual calls, templates of the library, exceptions that pass frames with
// destructors, and a thread.
#include <algorithm>
#include <cstdint>
#include <functional>
#include <map>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#define KEEP __attribute__((noinline, noclone))

volatile uint64_t sink;

struct Guard {
  std::string name;
  explicit Guard(std::string n) : name(std::move(n)) {}
  KEEP ~Guard() { sink += name.size(); }
};

struct Shape {
  virtual ~Shape() = default;
  virtual uint64_t area(int n) const = 0;
};

struct Square : Shape {
  KEEP uint64_t area(int n) const override { return sink + n * n; }
};

KEEP uint64_t thrower(int depth, const Shape &s) {
  Guard g(std::string(20 + depth, 'x'));
  if (depth == 0) throw std::runtime_error("at the bottom " + std::to_string(s.area(3)));
  return thrower(depth - 1, s) + g.name.size();
}

KEEP uint64_t catcher(const Shape &s) {
  try {
    return thrower(3, s);
  } catch (const std::runtime_error &e) {
    return std::string(e.what()).size();
  }
}

KEEP uint64_t in_thread(int n) { return n < 2 ? n + sink : in_thread(n - 1) + in_thread(n - 2); }

KEEP uint64_t all(int n) {
  Square square;
  std::vector<uint64_t> v;
  for (int i = 0; i < 40; i++) v.push_back(i * 7919 % 41);
  std::function<bool(uint64_t, uint64_t)> less = [&](uint64_t a, uint64_t b) { return a * n < b * n; };
  std::sort(v.begin(), v.end(), less);
  std::map<std::string, uint64_t> m;
  for (auto x : v) m[std::to_string(x)] += square.area(int(x));
  uint64_t r = m.size() + catcher(square);
  std::thread t([&] { r += in_thread(5); });
  t.join();
  return r;
}

int main(int argc, char **) { return all(argc) == 42; }
