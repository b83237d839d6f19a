window.BENCHMARK_DATA = {
  "lastUpdate": 1760000000000,
  "repoUrl": "https://github.com/example/codec",
  "entries": {
    "Go": [
      {"commit": {"id": "1111111111111111111111111111111111111111", "message": "one"}, "date": 1750000000000, "tool": "go",
        "benches": [
          {"name": "BenchmarkFib10", "value": 325, "unit": "ns/op\t       8 B/op", "extra": "5000000 times\n8 procs"},
          {"name": "BenchmarkFib10 - ns/op", "value": 325, "unit": "ns/op", "extra": "5000000 times\n8 procs"},
          {"name": "BenchmarkFib10 - B/op", "value": 8, "unit": "B/op", "extra": "5000000 times\n8 procs"}
        ]},
      {"commit": {"id": "2222222222222222222222222222222222222222"}, "date": 1760000000000, "tool": "go",
        "benches": [{"name": "BenchmarkFib10", "value": 330, "unit": "ns/op"}, {"name": "BenchmarkCopy", "value": 400, "unit": "MB/s"}]}
    ],
    "Requests": [
      {"commit": {"id": "2222222222222222222222222222222222222222"}, "date": 1760000000500, "tool": "customBiggerIsBetter",
        "benches": [{"name": "handled", "value": 12, "unit": "requests"}]}
    ]
  }
};
