//! Tests that look at the whole process (its children, descriptors and limits) need one of their own.

use std::process::Command;

const INSIDE: &str = "SETTLED_TEST_INSIDE";

/// Runs `body` in a process in which nothing else happens. `name` is the test that calls this; `limits` go before it in a shell,
/// as `ulimit` does it.
pub(crate) fn isolated(name: &str, limits: &str, body: impl FnOnce()) {
    if std::env::var_os(INSIDE).is_some_and(|inside| inside == name) {
        return body();
    }
    let this = std::env::current_exe().expect("a test binary");
    let mut command = Command::new("sh");
    command
        .args(["-c", &format!("{limits}\nexec \"$@\""), "sh"])
        .arg(this);
    let output = command
        .args(["--exact", name, "--nocapture", "--test-threads=1"])
        .env(INSIDE, name)
        .output();
    let output = output.expect("sh");
    let (out, err) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    assert!(
        output.status.success() && out.contains("1 passed"),
        "{}\n{out}\n{err}",
        output.status
    );
    print!("{out}");
}
