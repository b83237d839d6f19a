//! A library with benchmarks.

/// The sum of the numbers below n.
pub fn sum(n: u64) -> u64 {
    (0..n).fold(0, |a, b| a.wrapping_add(b))
}

#[test]
fn sums() {
    assert_eq!(sum(5), 10);
}
