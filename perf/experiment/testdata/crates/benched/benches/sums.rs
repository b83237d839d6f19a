fn main() {
    let mut group = criterion::group("sums");
    for n in [1000u64, 10_000] {
        group.bench(&n.to_string(), n, || benched::sum(std::hint::black_box(n)));
    }
}
