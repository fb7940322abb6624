//! A list of ten million lines costs no more memory than one of ten, on resume too.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use crate::{peak_mib, settled};

const LINES: u64 = 10_000_000;
const MOST_MIB: f64 = 32.0;

#[test]
fn ten_million_lines_start_at_once_and_stay_below_32_mib() {
    let dir = tempfile::tempdir().unwrap();
    let (list, ledger) = (dir.path().join("lines.txt"), dir.path().join("out.jsonl"));
    let mut lines = BufWriter::new(File::create(&list).unwrap());
    (1..=LINES).for_each(|n| writeln!(lines, "{n}").unwrap());
    lines.into_inner().unwrap();

    let mut length = 0;
    for turn in ["fresh", "resumed", "resumed again"] {
        let peak = run_for_a_while(&list, &ledger, length + 200_000);
        println!("{turn}: {peak:.1} MiB");
        assert!(peak < MOST_MIB, "{turn}: {peak} MiB");
        length = fs::metadata(&ledger).unwrap().len();
    }
}

/// Runs until the ledger has this length, kills it, and says how much memory it had.
fn run_for_a_while(list: &Path, ledger: &Path, length: u64) -> f64 {
    // The smallest of programs: it is our own memory that counts.
    let args = [
        "run",
        "-q",
        "-i",
        list.to_str().unwrap(),
        "-o",
        ledger.to_str().unwrap(),
        "-j",
        "4",
        "--",
        "true",
    ];
    let mut child = settled(&args).spawn().unwrap();
    let deadline = Instant::now() + Duration::from_secs(120);
    while fs::metadata(ledger).map_or(0, |ledger| ledger.len()) < length {
        assert!(child.try_wait().unwrap().is_none(), "it ended by itself");
        assert!(Instant::now() < deadline, "no outcomes came");
        thread::sleep(Duration::from_millis(5));
    }
    let peak = peak_mib(&child);
    child.kill().unwrap();
    child.wait().unwrap();
    peak
}
