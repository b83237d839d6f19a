//! The program from outside. For a test like this one cargo builds the program itself
//! once more, with the features that the tests have.

use std::process::Command;

#[test]
fn self_test_passes() {
    let out = Command::new(env!("CARGO_BIN_EXE_clnrm")).arg("self-test").output().unwrap();
    assert!(String::from_utf8_lossy(&out.stdout).contains("Total: 4 tests, 4 passed, 0 failed"));
}
