//! The spawning references run every job once, with its output captured, and own up to failures.

use std::fs;
use std::process::Command;

use settled_bench::spawn::write_script;
use tempfile::TempDir;

const PROGRAMS: &[&str] = &[
    env!("CARGO_BIN_EXE_spawn_vfork"),
    env!("CARGO_BIN_EXE_spawn_posix"),
    #[cfg(feature = "peers")]
    env!("CARGO_BIN_EXE_spawn_tokio"),
];

#[test]
fn every_job_runs_once() {
    for program in PROGRAMS {
        for how in ["null", "pipe"] {
            let dir = TempDir::new().unwrap();
            let (script, ran) = (dir.path().join("job"), dir.path().join("ran"));
            let line = format!("echo noise; echo \"$1\" >> '{}'", ran.display());
            write_script(&script, &line).unwrap();
            let done = Command::new(program)
                .args(["25", "4", how])
                .arg(&script)
                .output()
                .unwrap();
            assert!(done.status.success(), "{program} {how}: {done:?}");
            if how == "pipe" {
                assert!(done.stdout.is_empty(), "{program} lets output through");
            }
            let text = fs::read_to_string(&ran).unwrap();
            let mut jobs: Vec<usize> = text.lines().map(|line| line.parse().unwrap()).collect();
            jobs.sort_unstable();
            assert_eq!(jobs, (0..25).collect::<Vec<_>>(), "{program} {how}");
        }
    }
}

#[test]
fn a_job_that_fails_is_not_counted_as_done() {
    for program in PROGRAMS {
        let done = Command::new(program)
            .args(["3", "2", "pipe", "/bin/false"])
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&done.stderr).into_owned();
        assert!(
            !done.status.success() && said.contains("3 of 3 failed"),
            "{program}: {said}"
        );
    }
}

#[test]
fn children_start_with_no_signal_blocked() {
    let dir = TempDir::new().unwrap();
    let script = dir.path().join("job");
    write_script(
        &script,
        "grep -q 'SigBlk:.*0000000000000000' /proc/self/status",
    )
    .unwrap();
    for program in PROGRAMS {
        let done = Command::new(program)
            .args(["3", "2", "pipe"])
            .arg(&script)
            .output()
            .unwrap();
        assert!(done.status.success(), "{program}: {done:?}");
    }
}
