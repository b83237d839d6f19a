//! A program that does not compile: it greets a name that nobody declared.

fn main() {
    println!("Hello, {}!", nobody);
}

#[cfg(test)]
mod tests {
    #[test]
    fn adds() {
        assert_eq!(1 + 1, 2);
    }
}
