//! A program that greets whoever is named.

use std::env;

const USAGE: &str = "usage: greeter [--help] NAME...";

/// The greeting for `names`, or `None` for nobody.
fn greeting(names: &[String]) -> Option<String> {
    match names {
        [] => None,
        [one] => Some(format!("Hello, {one}!")),
        [rest @ .., last] => Some(format!("Hello, {} and {last}!", rest.join(", "))),
    }
}

fn main() {
    let args: Vec<String> = env::args().skip(1).collect();
    if args.iter().any(|a| a == "--help") {
        println!("{USAGE}");
        return;
    }
    match greeting(&args) {
        Some(text) => println!("{text}"),
        None => {
            eprintln!("{USAGE}");
            std::process::exit(2);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::greeting;

    fn names(list: &[&str]) -> Vec<String> {
        list.iter().map(|s| s.to_string()).collect()
    }

    #[test]
    fn greets_one() {
        assert_eq!(greeting(&names(&["Ada"])).unwrap(), "Hello, Ada!");
    }

    #[test]
    fn greets_several() {
        assert_eq!(greeting(&names(&["Ada", "Bob", "Eve"])).unwrap(), "Hello, Ada, Bob and Eve!");
    }

    #[test]
    fn greets_nobody() {
        assert!(greeting(&[]).is_none());
    }
}
