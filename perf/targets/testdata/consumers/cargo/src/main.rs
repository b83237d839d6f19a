fn greeting(name: &str) -> String {
    format!("hello, {name}")
}

fn main() {
    println!("{}", greeting("usage: greet"));
}

#[test]
fn greets() {
    assert_eq!(greeting("you"), "hello, you");
}
