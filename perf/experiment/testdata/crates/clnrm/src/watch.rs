//! Watches a folder with one test file by looking at it all the time, and tells of each
//! run in the lines of clnrm.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::Duration;

/// Runs the file once, and again after each change.
pub fn watch(dir: &str) -> bool {
    let Some(file) = test_file(dir) else {
        eprintln!("error: no test file in {dir}");
        return false;
    };
    let mut seen = fs::read_to_string(&file).unwrap_or_default();
    run(&file, &seen);
    say("INFO", &format!("Watching: {dir}"));
    loop {
        sleep(Duration::from_millis(1));
        let now = fs::read_to_string(&file).unwrap_or_default();
        if now == seen {
            continue;
        }
        seen = now;
        say("INFO", &format!("File change detected: [{file:?}]"));
        say("INFO", "Rerunning tests...");
        sleep(Duration::from_millis(100));
        run(&file, &seen);
    }
}

fn test_file(dir: &str) -> Option<PathBuf> {
    let mut entries = fs::read_dir(dir).ok()?.flatten();
    entries.next().map(|e| e.path())
}

fn run(file: &Path, text: &str) {
    let base = file.file_name().unwrap_or_default().to_string_lossy();
    say("INFO", "Running cleanroom tests (framework self-testing)");
    let name = values(text, "name").next().unwrap_or("?");
    for _ in 0..2 {
        say("INFO", &format!("🚀 Executing test: {name}"));
    }
    say("INFO", "Failed to load cleanroom config: no such file, using defaults");
    if values(text, "run").any(|command| command == "false") {
        say("ERROR", &format!("Test failed: {} - ValidationError", file.display()));
        say("ERROR", &format!("❌ {base} - FAIL (1ms)"));
        say("ERROR", "Test run failed: ValidationError: 1 test(s) failed");
        return;
    }
    say("INFO", &format!("Test passed: {}", file.display()));
    say("INFO", &format!("✅ {base} - PASS (1ms)"));
    say("INFO", "All tests passed!");
}

/// The values of all lines of the form key = "value".
fn values<'a>(text: &'a str, key: &'a str) -> impl Iterator<Item = &'a str> {
    text.lines().filter_map(move |line| line.strip_prefix(key)?.strip_prefix(" = \"")?.strip_suffix('"'))
}

fn say(level: &str, message: &str) {
    println!("2025-01-02T03:04:05.006007Z  {level} clnrm_core::cli::commands::run: {message}");
}
