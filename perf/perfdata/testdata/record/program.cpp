// Templates, exceptions, virtual functions and what the standard library makes of them.
#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace shapes {
struct Shape {
  virtual ~Shape() = default;
  virtual double area(int n) const = 0;
};

template <typename T>
struct Square : Shape {
  T side;
  explicit Square(T s) : side(s) {}
  __attribute__((noinline)) double area(int n) const override {
    double a = 0;
    for (int i = 0; i < n; i++) a += side * side / (i + 1);
    return a;
  }
};
}  // namespace shapes

__attribute__((noinline)) static double thrower(int n) {
  if (n % 2) throw std::runtime_error("odd " + std::to_string(n));
  return n;
}

__attribute__((noinline)) static double catcher(int n) {
  double s = 0;
  for (int i = 0; i < n; i++) try {
      s += thrower(i);
    } catch (const std::exception &e) {
      s += e.what()[0];
    }
  return s;
}

__attribute__((noinline)) static double words(int n) {
  std::map<std::string, int> counts;
  for (int i = 0; i < n; i++) counts["word" + std::to_string(i % 97)]++;
  std::vector<std::pair<std::string, int>> sorted(counts.begin(), counts.end());
  std::sort(sorted.begin(), sorted.end(), [](const auto &a, const auto &b) { return a.second > b.second; });
  return sorted.front().second;
}

int main(int argc, char **argv) {
  int rounds = argc > 1 ? std::stoi(argv[1]) : 100;
  std::vector<std::unique_ptr<shapes::Shape>> all;
  all.push_back(std::make_unique<shapes::Square<double>>(2.5));
  all.push_back(std::make_unique<shapes::Square<int>>(3));
  volatile double sum = 0;
  std::function<double(int)> work = [&](int n) {
    double s = 0;
    for (auto &shape : all) s += shape->area(n);
    return s;
  };
  std::thread other([&] {
    for (int i = 0; i < rounds; i++) sum = sum + words(300);
  });
  for (int i = 0; i < rounds; i++) sum = sum + work(5000) + (i % 16 ? 0 : catcher(8));
  other.join();
  return sum > 0 ? 0 : 1;
}
