//! What every fault test needs: the program, a directory, a seed that is printed, cases that are counted.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// Far more than anything here takes; what isn't there by then won't come.
pub(crate) const LONG: Duration = Duration::from_secs(120);

/// The program, without proxies and without a list on its standard input.
pub(crate) fn settled(args: &[&str]) -> Command {
    within(&[], args)
}

/// The program, started by another one: `within(&["prlimit", "--nofile=64"], ..)`.
pub(crate) fn within(outer: &[&str], args: &[&str]) -> Command {
    let program = env!("CARGO_BIN_EXE_settled");
    let mut words = outer
        .iter()
        .copied()
        .chain([program])
        .chain(args.iter().copied());
    let mut command = Command::new(words.next().unwrap_or(program));
    command.args(words).stdin(Stdio::null());
    for name in ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"] {
        command.env_remove(name);
    }
    command
}

/// What a process came to.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) status: ExitStatus,
    pub(crate) stderr: String,
}

impl Ran {
    #[track_caller]
    pub(crate) fn exits(self, code: i32) -> Self {
        assert_eq!(self.status.code(), Some(code), "{}", self.stderr);
        self
    }

    #[track_caller]
    pub(crate) fn says(self, text: &str) -> Self {
        assert!(self.stderr.contains(text), "no {text:?} in {}", self.stderr);
        self
    }

    /// It was ended by its own doing, not by a crash.
    #[track_caller]
    pub(crate) fn did_not_crash(&self) {
        let code = self.status.code();
        assert!(
            matches!(code, Some(0..=4)) && !self.stderr.contains("panicked"),
            "{:?}: {}",
            self.status,
            self.stderr
        );
    }
}

/// Runs a command to its end.
#[track_caller]
pub(crate) fn run(command: &mut Command) -> Ran {
    finish(start(command))
}

/// Starts a command whose outputs are read later.
#[track_caller]
pub(crate) fn start(command: &mut Command) -> Child {
    let started = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    started.unwrap_or_else(|error| panic!("{command:?}: {error}"))
}

/// Waits for the end of a process; one that never ends is killed, and fails the test.
#[track_caller]
pub(crate) fn finish(mut child: Child) -> Ran {
    // Nobody is to be held up by a full pipe.
    let stdout = reader(child.stdout.take());
    let stderr = reader(child.stderr.take());
    let status = wait(&mut child);
    drop(stdout);
    let stderr = String::from_utf8_lossy(&stderr.join().unwrap_or_default()).into_owned();
    match status {
        Some(status) => Ran { status, stderr },
        None => panic!("it did not end by itself: {stderr}"),
    }
}

/// `None`: it took too long, and was killed.
fn wait(child: &mut Child) -> Option<ExitStatus> {
    let ended = eventually(|| child.try_wait().expect("a child of ours"));
    if ended.is_none() {
        kill(child);
    }
    ended
}

/// Kills as a machine's failure would: at once.
pub(crate) fn kill(child: &mut Child) {
    child.kill().expect("a child of ours");
    child.wait().expect("a child of ours");
}

pub(crate) fn signal(child: &Child, signal: Signal) {
    kill_process(Pid::from_child(child), signal).expect("a child of ours");
}

fn reader(from: Option<impl Read + Send + 'static>) -> thread::JoinHandle<Vec<u8>> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut from) = from {
            let _ = from.read_to_end(&mut bytes);
        }
        bytes
    })
}

/// Asks again and again until there is an answer; `None` after a very long time.
pub(crate) fn eventually<T>(mut ask: impl FnMut() -> Option<T>) -> Option<T> {
    let start = Instant::now();
    while start.elapsed() < LONG {
        if let Some(answer) = ask() {
            return Some(answer);
        }
        thread::sleep(Duration::from_millis(1));
    }
    None
}

/// Waits until `test` holds.
#[track_caller]
pub(crate) fn until(what: &str, mut test: impl FnMut() -> bool) {
    let came = eventually(|| test().then_some(()));
    assert!(came.is_some(), "waited in vain: {what}");
}

/// A directory of its own for each test.
#[derive(Debug)]
pub(crate) struct Dir(tempfile::TempDir);

impl Dir {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().expect("a directory"))
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// The path as an argument.
    pub(crate) fn arg(&self, name: &str) -> String {
        text(&self.path(name)).to_owned()
    }

    /// Writes a file, and gives its path as an argument.
    pub(crate) fn file(&self, name: &str, content: impl AsRef<[u8]>) -> String {
        fs::write(self.path(name), content).expect("a file");
        self.arg(name)
    }
}

pub(crate) fn text(path: &Path) -> &str {
    path.to_str().expect("a path of ours is UTF-8")
}

/// Random numbers whose seed is printed; `SETTLED_FAULT_SEED` repeats a run.
pub(crate) fn random(test: &str) -> fastrand::Rng {
    let given = std::env::var("SETTLED_FAULT_SEED").ok();
    let seed = given
        .map(|seed| seed.parse().expect("SETTLED_FAULT_SEED is a number"))
        .unwrap_or_else(|| fastrand::u64(..));
    println!("{test}: seed {seed}");
    fastrand::Rng::with_seed(seed)
}

/// Counts the cases of a test: it says how many there were, and fails if there were none.
#[derive(Debug)]
pub(crate) struct Cases {
    test: &'static str,
    count: usize,
}

impl Cases {
    pub(crate) fn of(test: &'static str) -> Self {
        Self { test, count: 0 }
    }

    pub(crate) fn one_more(&mut self) {
        self.count += 1;
    }

    #[track_caller]
    pub(crate) fn end(self) {
        println!("{}: {} cases", self.test, self.count);
        assert!(self.count > 0, "{}: not one case ran", self.test);
    }
}

/// A fault that can't be caused on this machine.
pub(crate) fn skipped(test: &str, why: &str) {
    println!("{test}: SKIPPED, no case ran: {why}");
}
