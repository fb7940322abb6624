//! The harness as a command: what it prints, and that it ends and removes everything.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use settled_bench::spawn::write_script;
use tempfile::TempDir;

use crate::measure::{assert_gone, pid_in};

fn start(dir: &Path, args: &[&str]) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_settled-bench"));
    // A lock and tools of its own: a real bench may be running on this machine.
    command
        .env("TMPDIR", dir)
        .env("XDG_CACHE_HOME", dir)
        .args(args);
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command.spawn().unwrap()
}

fn run(dir: &Path, args: &[&str]) -> (Output, String, String) {
    let output = start(dir, args).wait_with_output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
    (output, stdout, stderr)
}

/// The folders of a run: none may be left.
fn leftovers(dir: &Path) -> Vec<String> {
    let names = fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().file_name());
    let names = names.map(|name| name.to_string_lossy().into_owned());
    names
        .filter(|name| name.starts_with("settled-bench.") && !name.ends_with(".lock"))
        .collect()
}

#[test]
fn a_table_has_the_references_and_says_what_was_skipped() {
    let (dir, work) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let here = work.path().to_string_lossy().into_owned();
    let (output, stdout, stderr) = run(
        dir.path(),
        &[
            "spawn",
            "-n",
            "20",
            "--rounds",
            "2",
            "--command",
            "/bin/true",
            "--dir",
            &here,
            "--only",
            "^settled$",
            "--settled",
            "/nowhere/settled",
            "--markdown",
        ],
    );
    assert!(output.status.success(), "{stderr}");
    assert!(stdout.contains("\n| spawn_vfork pipe "), "{stdout}");
    assert!(
        stdout.contains("\n| xargs ") && stdout.contains("1.00 (1.00..1.00)"),
        "{stdout}"
    );
    assert!(!stdout.contains("! "), "{stdout}");
    assert!(
        stderr.contains("skipped: settled: no such file: /nowhere/settled"),
        "{stderr}"
    );
    assert_eq!(leftovers(work.path()), [""; 0]);
}

#[test]
fn a_tool_that_runs_nothing_is_found_out() {
    let (dir, work) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let here = work.path().to_string_lossy().into_owned();
    let (output, stdout, stderr) = run(
        dir.path(),
        &[
            "spawn",
            "-n",
            "20",
            "--rounds",
            "1",
            "--command",
            "/bin/true",
            "--dir",
            &here,
            "--only",
            "^settled$",
            "--settled",
            "/bin/true",
        ],
    );
    assert!(output.status.success(), "{stderr}");
    assert!(stdout.contains("! settled: ran 0 jobs of 200"), "{stdout}");
}

#[test]
fn an_interrupt_ends_and_removes_everything() {
    let (dir, work) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let (script, pid) = (dir.path().join("job"), dir.path().join("pid"));
    write_script(
        &script,
        &format!("echo $$ > '{}'; exec sleep 1000", pid.display()),
    )
    .unwrap();
    let (job, here) = (
        script.to_string_lossy(),
        work.path().to_string_lossy().into_owned(),
    );
    let args = [
        "spawn",
        "-n",
        "1",
        "-j",
        "1",
        "--command",
        &job,
        "--dir",
        &here,
        "--only",
        "^$",
    ];
    let bench = start(dir.path(), &args);
    let running = pid_in(&pid);
    // SAFETY: kill has no memory effects; the harness is our child and was not waited for, so the
    // id is its own.
    unsafe { libc::kill(bench.id().cast_signed(), libc::SIGINT) };
    let output = bench.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130), "{output:?}");
    assert_gone(running);
    assert_eq!(leftovers(work.path()), [""; 0]);
}

#[test]
fn wrong_usage_exits_2() {
    let dir = TempDir::new().unwrap();
    for args in [
        &["fetch", "-n", "0"][..],
        &["spawn", "--only", "["],
        &["nothing"],
        &[],
    ] {
        let (output, _, stderr) = run(dir.path(), args);
        assert_eq!(output.status.code(), Some(2), "{args:?}: {stderr}");
    }
}

#[test]
fn a_table_of_the_library_names_what_is_not_built() {
    let (dir, work) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let here = work.path().to_string_lossy().into_owned();
    // Only rows of the program that tests do not build.
    let args = [
        "timeout", "--rounds", "1", "--millis", "1", "--only", "floor", "--dir", &here,
    ];
    let (output, stdout, stderr) = run(dir.path(), &args);
    assert!(output.status.success(), "{stderr}");
    let built = Path::new(env!("CARGO_BIN_EXE_settled-bench")).with_file_name("library");
    assert_eq!(
        stdout.contains("floor: no limit"),
        built.is_file(),
        "{stdout}"
    );
    assert_eq!(
        stderr.contains("skipped: floor: no limit: not built"),
        !built.is_file(),
        "{stderr}"
    );
    assert_eq!(leftovers(work.path()), Vec::<String>::new());
}
