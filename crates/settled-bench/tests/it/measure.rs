//! What one command costs, its children included, and its end on every path.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use settled_bench::child::{Child, Start};
use settled_bench::error::Error;
use settled_bench::interrupt::Interrupt;
use settled_bench::measure::{self, Measured};
use tempfile::TempDir;

/// Longer than anything here takes: only a hang gets there.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

fn shell(text: &str) -> Command {
    let mut command = Command::new("/bin/sh");
    command.args(["-c", text]);
    command
}

fn run(text: &str, limit: Duration) -> Measured {
    let (dir, interrupt) = (TempDir::new().unwrap(), Interrupt::catch().unwrap());
    measure::run(&mut shell(text), limit, dir.path(), &interrupt).unwrap()
}

/// Waits until the file has a line, which is a process id.
pub(crate) fn pid_in(path: &Path) -> u32 {
    let start = Instant::now();
    loop {
        let text = fs::read_to_string(path).unwrap_or_default();
        if let Some(line) = text.strip_suffix('\n') {
            return line.parse().unwrap();
        }
        assert!(
            start.elapsed() < PATIENCE,
            "nothing was written to {}",
            path.display()
        );
        std::thread::yield_now();
    }
}

/// Waits until there is no such process, or only its entry that nobody has reaped yet.
pub(crate) fn assert_gone(pid: u32) {
    let start = Instant::now();
    loop {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let state = stat
            .rsplit_once(") ")
            .and_then(|(_, rest)| rest.chars().next());
        if matches!(state, None | Some('Z' | 'X')) {
            return;
        }
        assert!(
            start.elapsed() < PATIENCE,
            "process {pid} is still there: {stat}"
        );
        std::thread::yield_now();
    }
}

#[test]
fn success_has_no_fault_and_its_lines_are_counted() {
    let measured = run("echo a; echo b; printf c", PATIENCE);
    assert_eq!(measured.fault, None);
    assert_eq!((measured.ended.status, measured.stdout_lines), (0, 2));
    assert!(measured.ended.elapsed > Duration::ZERO);
}

#[test]
fn a_failure_is_told_with_what_was_said() {
    let measured = run("echo 'no such\nhost' >&2; exit 7", PATIENCE);
    assert_eq!(measured.fault.as_deref(), Some("exit 7 no such host"));
    assert_eq!(
        run("kill -SEGV $$", PATIENCE).fault.as_deref(),
        Some("signal 11")
    );
}

#[test]
fn cpu_and_memory_of_children_are_counted() {
    let idle = run(":", PATIENCE).ended;
    // The shell's child counts up; another one holds 64 MiB.
    let text = "(i=0; while [ $i -lt 300000 ]; do i=$((i + 1)); done) & wait
                head -c 64M /dev/zero | tail -c 64M | wc -c";
    let busy = run(text, PATIENCE).ended;
    assert!(busy.cpu > idle.cpu * 2, "{busy:?} {idle:?}");
    assert!(busy.peak_kib >= 64 * 1024, "{busy:?}");
    assert!(
        idle.peak_kib < 16 * 1024,
        "the harness's own memory was counted: {idle:?}"
    );
}

#[test]
fn the_time_limit_ends_the_whole_group() {
    let dir = TempDir::new().unwrap();
    let pid = dir.path().join("pid");
    // It ends only by being killed, and the limit can only fall before or after its child is there.
    let text = format!("sleep 1000 & echo $! > '{}'; wait", pid.display());
    let measured = run(&text, Duration::from_millis(300));
    assert!(
        measured
            .fault
            .is_some_and(|fault| fault.starts_with("not done in"))
    );
    assert_eq!(measured.ended.status, -libc::SIGKILL);
    if pid.exists() {
        assert_gone(pid_in(&pid));
    }
}

#[test]
fn what_outlives_its_leader_is_ended() {
    let dir = TempDir::new().unwrap();
    let pid = dir.path().join("pid");
    let measured = run(
        &format!("sleep 1000 & echo $! > '{}'", pid.display()),
        PATIENCE,
    );
    assert_eq!(measured.fault, None);
    assert_gone(pid_in(&pid));
}

fn start(dir: &Path) -> (Child, u32) {
    let pid: PathBuf = dir.join("pid");
    let text = format!("sleep 1000 & echo $! > '{}'; wait", pid.display());
    let child = Child::start(&mut shell(&text), Start::default()).unwrap();
    (child, pid_in(&pid))
}

#[test]
fn a_dropped_child_is_ended_with_its_group() {
    let dir = TempDir::new().unwrap();
    let (child, grandchild) = start(dir.path());
    let pid = child.pid();
    drop(child);
    assert!(
        !Path::new(&format!("/proc/{pid}")).exists(),
        "the child itself was reaped"
    );
    assert_gone(grandchild);
}

#[test]
fn a_signal_ends_a_wait() {
    let (dir, interrupt) = (TempDir::new().unwrap(), Interrupt::catch().unwrap());
    let (mut child, grandchild) = start(dir.path());
    // SAFETY: raise has no memory effects; the signal is blocked in this thread and goes to it.
    unsafe { libc::raise(libc::SIGTERM) };
    let waited = child.wait(PATIENCE, &interrupt);
    assert!(
        matches!(waited, Err(Error::Interrupted(libc::SIGTERM))),
        "{waited:?}"
    );
    drop(child);
    assert_gone(grandchild);
}

#[test]
fn address_space_is_limited_where_asked() {
    let interrupt = Interrupt::catch().unwrap();
    let how = Start {
        address_space: Some(1 << 30),
        ..Start::default()
    };
    let mut command = shell("[ $(ulimit -v) = 1048576 ]");
    let ended = Child::start(&mut command, how)
        .unwrap()
        .wait(PATIENCE, &interrupt)
        .unwrap();
    assert_eq!(ended.map(|ended| ended.status), Some(0));
}

#[test]
fn lines_of_no_file_are_none() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("lines");
    assert_eq!(measure::lines(&path).unwrap(), 0);
    let mut file = fs::File::create(&path).unwrap();
    file.write_all(&b"x\n".repeat(100_000)).unwrap();
    assert_eq!(measure::lines(&path).unwrap(), 100_000);
}
