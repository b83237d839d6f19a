// Traits, closures, generics, panics that are caught, threads.
use std::collections::HashMap;
use std::hint::black_box;
use std::thread;

trait Work {
    fn work(&self, n: u64) -> u64;
}

struct Multiply(u64);
struct Shift<T>(T);

impl Work for Multiply {
    #[inline(never)]
    fn work(&self, n: u64) -> u64 {
        (0..n).fold(self.0, |s, i| s.wrapping_mul(31).wrapping_add(black_box(i)))
    }
}

impl<T: Into<u64> + Copy> Work for Shift<T> {
    #[inline(never)]
    fn work(&self, n: u64) -> u64 {
        (0..n).fold(self.0.into(), |s, i| s ^ (s >> 3) ^ black_box(i))
    }
}

#[inline(never)]
fn words(n: usize) -> usize {
    let mut counts: HashMap<String, usize> = HashMap::new();
    for i in 0..n {
        *counts.entry(format!("word{}", i % 97)).or_default() += 1;
    }
    let mut sorted: Vec<_> = counts.into_iter().collect();
    sorted.sort_by(|a, b| b.1.cmp(&a.1));
    sorted[0].1
}

fn caught(n: u64) -> u64 {
    std::panic::catch_unwind(|| if n % 2 == 1 { std::panic::resume_unwind(Box::new(n)) } else { n }).unwrap_or(1)
}

fn main() {
    let rounds: u64 = std::env::args().nth(1).and_then(|s| s.parse().ok()).unwrap_or(100);
    let other = thread::spawn(move || (0..rounds).map(|_| words(300)).sum::<usize>());
    let all: Vec<Box<dyn Work>> = vec![Box::new(Multiply(7)), Box::new(Shift(9u32))];
    let mut sum = 0u64;
    for i in 0..rounds {
        for w in &all {
            sum = sum.wrapping_add(w.work(10_000));
        }
        if i % 16 == 0 {
            sum = sum.wrapping_add(caught(i / 16));
        }
    }
    black_box(sum);
    black_box(other.join().unwrap());
}
