// Frames of Rust: recursion, closures that the library calls, a panic, and a thread.
use std::hint::black_box;

#[inline(never)]
fn recurse(depth: u32, x: u64) -> u64 {
    if depth == 0 {
        return black_box(x).wrapping_mul(2654435761);
    }
    let mut v = [x; 7];
    black_box(&mut v);
    recurse(depth - 1, v[depth as usize % 7] + 1) ^ v[0]
}

#[inline(never)]
fn compare(a: &u64, b: &u64) -> std::cmp::Ordering {
    black_box(a % 13).cmp(&black_box(b % 13))
}

#[inline(never)]
fn panics(n: usize) -> u64 {
    let v: Vec<u64> = (0..n as u64).collect();
    v[black_box(n) + 1]
}

#[inline(never)]
fn in_thread(n: u64) -> u64 {
    if n < 2 { black_box(n) } else { in_thread(n - 1) + in_thread(n - 2) }
}

#[inline(never)]
fn all(n: u64) -> u64 {
    let mut r = recurse(5, n);
    let mut v: Vec<u64> = (0..60).map(|i| i * 7919 % 61).collect();
    v.sort_by(compare);
    std::panic::set_hook(Box::new(|_| {}));
    r ^= std::panic::catch_unwind(|| panics(3)).unwrap_or(v[7]);
    r ^ std::thread::spawn(move || in_thread(6)).join().unwrap_or(1)
}

fn main() {
    println!("{}", all(black_box(3)));
}
