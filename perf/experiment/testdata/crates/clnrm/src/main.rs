//! A program with the commands of clnrm that a measurement calls. It reads the small
//! part of TOML that test files are made of, and checks what the files say.

mod testfile;
mod watch;

use std::env;
use std::fs;
use std::process::exit;

use testfile::TestFile;

const USAGE: &str = "usage: clnrm [--help] | self-test | validate FILE... | run --watch --force DIR";

fn main() {
    let args: Vec<String> = env::args().skip(1).collect();
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    let ok = match words.as_slice() {
        [] => false,
        words if words.contains(&"--help") => {
            println!("{USAGE}");
            true
        }
        ["self-test"] => self_test(),
        ["run", "--watch", "--force", dir] => watch::watch(dir),
        ["validate", files @ ..] if !files.is_empty() => validate(files),
        _ => {
            eprintln!("{USAGE}");
            exit(2);
        }
    };
    exit(if ok { 0 } else { 1 });
}

/// Checks each file, names what is wrong, and reports whether all are right.
fn validate(files: &[&str]) -> bool {
    let mut ok = true;
    for file in files {
        let read = fs::read_to_string(file).map_err(|e| e.to_string());
        match read.and_then(|text| TestFile::parse(&text)) {
            Ok(t) => println!("{file}: {} with {} steps is valid", t.name, t.steps),
            Err(e) => {
                eprintln!("{file}: {e}");
                ok = false;
            }
        }
    }
    ok
}

/// Parses files that are right and files that are wrong, and counts how often the
/// answer is the expected one.
fn self_test() -> bool {
    let mut cases = vec![
        ("[meta]\nname = \"a\"\nversion = \"1\"\n[[steps]]\nname = \"s\"\n", true),
        ("[meta]\nname = \"a\"\n[[steps]]\nname = \"s\"\n", false),
        ("[meta]\nname = \"a\"\nversion = \"1\"\n", false),
        ("name = \"a\"\n", false),
    ];
    if cfg!(feature = "thorough") {
        cases.push(("[meta\n", false));
    }
    let passed = cases.iter().filter(|(text, valid)| TestFile::parse(text).is_ok() == *valid).count();
    println!("Framework Self-Test Results:");
    println!("Total: {} tests, {passed} passed, {} failed", cases.len(), cases.len() - passed);
    passed == cases.len()
}
