//! Real lists, brought through to the end with a kill -9 in the middle: every source file of the cargo registry by `sha256sum`,
//! 100,000 URLs of an nginx, ten million lines.
#![expect(clippy::unwrap_used, reason = "tests")]

mod nginx;
mod registry;
mod ten_million;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};
use std::{fs, thread};

use serde_json::Value;

/// The program, quiet, with nothing on its standard input.
fn settled(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_settled"));
    command.args(args).stdin(Stdio::null());
    command
}

/// Starts it, ends it by kill -9 when the ledger has grown past `bytes`, and says whether that was in the middle.
fn kill_when_grown(mut command: Command, ledger: &Path, bytes: u64) -> bool {
    let mut child = command.spawn().unwrap();
    let deadline = Instant::now() + Duration::from_secs(300);
    while fs::metadata(ledger).map_or(0, |ledger| ledger.len()) < bytes {
        if child.try_wait().unwrap().is_some() {
            return false;
        }
        assert!(Instant::now() < deadline, "no outcomes came");
        thread::sleep(Duration::from_millis(1));
    }
    child.kill().unwrap();
    child.wait().unwrap().code().is_none()
}

/// The outcome lines of a ledger by id; fails if an id has two final ones.
fn outcomes(ledger: &Path) -> BTreeMap<String, Value> {
    let mut found = BTreeMap::new();
    for line in fs::read_to_string(ledger).unwrap().lines().skip(1) {
        let line: Value = serde_json::from_str(line).unwrap();
        assert_ne!(line["final"], false, "{line}");
        let id = line["id"].as_str().unwrap().to_owned();
        assert!(found.insert(id, line).is_none());
    }
    found
}

/// The most memory a process has had so far, in MiB.
fn peak_mib(child: &Child) -> f64 {
    let status = fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line
        .and_then(|line| line.split_whitespace().next())
        .and_then(|kib| kib.parse::<f64>().ok());
    kib.unwrap() / 1024.0
}

fn assert_code(status: ExitStatus, code: i32) {
    assert_eq!(status.code(), Some(code), "{status}");
}
