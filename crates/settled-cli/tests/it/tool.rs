//! The tool as a test uses it: a folder of its own, the binary with arguments, and what came out of it.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

/// How long anything may take before a test calls it a hang.
pub(crate) const WATCHDOG: Duration = Duration::from_secs(60);

/// A folder for a test, gone at its end.
pub(crate) struct Folder(tempfile::TempDir);

impl Folder {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().expect("a folder"))
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn join(&self, name: &str) -> PathBuf {
        self.path().join(name)
    }

    /// Writes a file, and gives its path.
    pub(crate) fn file(&self, name: &str, contents: impl AsRef<[u8]>) -> PathBuf {
        let path = self.join(name);
        fs::write(&path, contents).expect("a file");
        path
    }

    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.join(name)).unwrap_or_default()
    }

    /// The outcome lines of a ledger, without its plan.
    pub(crate) fn ledger(&self, name: &str) -> Vec<Value> {
        outcomes(&self.read(name))
    }

    /// A named pipe.
    pub(crate) fn fifo(&self, name: &str) -> PathBuf {
        let path = self.join(name);
        let made = Command::new("mkfifo").arg(&path).status();
        assert!(made.is_ok_and(|made| made.success()), "mkfifo");
        path
    }

    /// Waits until a file is there that a command writes.
    pub(crate) fn wait_for(&self, name: &str) -> String {
        wait_until(&format!("the file {name}"), || {
            fs::read_to_string(self.join(name))
                .ok()
                .filter(|text| text.ends_with('\n'))
        })
    }

    /// The tool, started in this folder.
    pub(crate) fn settled<I: IntoIterator<Item = S>, S: AsRef<std::ffi::OsStr>>(
        &self,
        args: I,
    ) -> Tool {
        let mut command = binary();
        command.args(args).current_dir(self.path());
        for name in [
            "NO_COLOR",
            "CLICOLOR_FORCE",
            "http_proxy",
            "https_proxy",
            "all_proxy",
            "HTTP_PROXY",
            "HTTPS_PROXY",
            "ALL_PROXY",
        ] {
            command.env_remove(name);
        }
        Tool {
            command,
            stdin: None,
        }
    }

    /// `settled` with arguments that are separated by blanks.
    pub(crate) fn run(&self, args: &str) -> Ran {
        self.settled(args.split_whitespace()).run()
    }

    /// As [`Self::run`], beside the test.
    pub(crate) fn run_in_background(&self, args: &str) -> Running {
        self.settled(args.split_whitespace()).start()
    }
}

/// The binary. Where the tests themselves were started with signals ignored (in the background of a shell), it would honour that:
/// then `env` gives it the defaults.
fn binary() -> Command {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let ignored = ignored
        .and_then(|hex| u64::from_str_radix(hex.trim(), 16).ok())
        .unwrap_or(0);
    let settled = env!("CARGO_BIN_EXE_settled");
    let asked = [Signal::HUP, Signal::INT, Signal::TERM];
    if asked
        .iter()
        .all(|signal| ignored & 1 << (signal.as_raw() - 1) == 0)
    {
        return Command::new(settled);
    }
    let mut env = Command::new("env");
    env.args(["--default-signal=HUP,INT,TERM", settled]);
    env
}

/// Looks until there is something; a look costs little, and orders nothing.
pub(crate) fn wait_until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let start = std::time::Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(start.elapsed() < WATCHDOG, "a minute passed without {what}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// The lines that have an outcome.
pub(crate) fn outcomes(text: &str) -> Vec<Value> {
    let lines = text
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok());
    lines.filter(|line| line.get("outcome").is_some()).collect()
}

/// Outcome lines in the order of the list.
pub(crate) fn in_order(mut lines: Vec<Value>) -> Vec<Value> {
    lines.sort_by_key(|line| line["seq"].as_u64());
    lines
}

/// The binary, about to be started.
pub(crate) struct Tool {
    pub(crate) command: Command,
    stdin: Option<Vec<u8>>,
}

impl Tool {
    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        self.command.env(name, value);
        self
    }

    pub(crate) fn arg(mut self, arg: impl AsRef<std::ffi::OsStr>) -> Self {
        self.command.arg(arg);
        self
    }

    /// What it reads from standard input; otherwise nothing.
    pub(crate) fn stdin(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.stdin = Some(bytes.into());
        self
    }

    pub(crate) fn run(self) -> Ran {
        self.start().end()
    }

    /// Starts it; it runs beside the test.
    pub(crate) fn start(mut self) -> Running {
        let stdin = match self.stdin {
            Some(_) => Stdio::piped(),
            None => Stdio::null(),
        };
        self.command
            .stdin(stdin)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        Running::new(self.command, self.stdin)
    }

    /// Starts it with a standard input that the test writes to.
    pub(crate) fn start_with_stdin(mut self) -> (Running, ChildStdin) {
        self.command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut running = Running::new(self.command, None);
        let stdin = running.child.stdin.take().expect("a pipe");
        (running, stdin)
    }
}

/// The binary while it runs. Dropped, it is killed.
pub(crate) struct Running {
    child: Child,
    output: Option<[JoinHandle<Vec<u8>>; 2]>,
    said: mpsc::Receiver<String>,
}

impl Running {
    fn new(mut command: Command, stdin: Option<Vec<u8>>) -> Self {
        let mut child = command.spawn().expect("settled starts");
        if let Some(bytes) = stdin {
            let mut pipe = child.stdin.take().expect("a pipe");
            // A tool that stops reading is no failure of the test.
            thread::spawn(move || drop(pipe.write_all(&bytes)));
        }
        let (say, said) = mpsc::channel();
        let stdout = child.stdout.take().expect("a pipe");
        let stderr = child.stderr.take().expect("a pipe");
        Self {
            child,
            output: Some([
                thread::spawn(move || all(stdout, |_| {})),
                thread::spawn(move || all(stderr, |line| drop(say.send(line)))),
            ]),
            said,
        }
    }

    pub(crate) fn pid(&self) -> i32 {
        i32::try_from(self.child.id()).expect("a pid")
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_raw(self.pid()).expect("a pid"), signal).expect("a signal");
    }

    /// Waits until it says something on standard error, and gives that line.
    pub(crate) fn hears(&self, text: &str) -> String {
        loop {
            match self.said.recv_timeout(WATCHDOG) {
                Ok(line) if line.contains(text) => return line,
                Ok(_) => {}
                Err(why) => panic!("it never said {text:?}: {why}"),
            }
        }
    }

    pub(crate) fn is_running(&mut self) -> bool {
        self.child.try_wait().expect("a status").is_none()
    }

    /// Waits for its end.
    pub(crate) fn end(mut self) -> Ran {
        let status = wait_until("the end of settled", || {
            self.child.try_wait().expect("a status")
        });
        let output = self.output.take().expect("its end is waited for once");
        let [stdout, stderr] = output.map(|stream| stream.join().expect("its output"));
        let stderr = String::from_utf8_lossy(&stderr).into_owned();
        Ran {
            status,
            stdout,
            stderr,
        }
    }

    /// Ends it as a power cut of its own would.
    pub(crate) fn kill(self) -> Ran {
        self.signal(Signal::KILL);
        self.end()
    }
}

impl Drop for Running {
    /// A test that failed leaves nothing behind.
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn all(from: impl Read, mut each: impl FnMut(String)) -> Vec<u8> {
    let (mut from, mut all) = (BufReader::new(from), Vec::new());
    loop {
        let start = all.len();
        match from.read_until(b'\n', &mut all) {
            Ok(0) | Err(_) => return all,
            Ok(_) => each(String::from_utf8_lossy(&all[start..]).into_owned()),
        }
    }
}

/// What came of a run.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) status: ExitStatus,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: String,
}

impl Ran {
    /// Checks the exit status, and gives itself back.
    #[track_caller]
    pub(crate) fn exits(self, code: i32) -> Self {
        assert_eq!(self.status.code(), Some(code), "{}", self.all());
        self
    }

    /// Checks that a signal ended it, and gives itself back.
    #[track_caller]
    pub(crate) fn ends_by(self, signal: Signal) -> Self {
        assert_eq!(
            self.status.signal(),
            Some(signal.as_raw()),
            "{}",
            self.all()
        );
        self
    }

    /// Checks that standard error has this text, and gives itself back.
    #[track_caller]
    pub(crate) fn says(self, text: &str) -> Self {
        assert!(
            self.stderr.contains(text),
            "it does not say {text:?}:\n{}",
            self.all()
        );
        self
    }

    /// Checks that standard error does not have this text, and gives itself back.
    #[track_caller]
    pub(crate) fn keeps_silent_about(self, text: &str) -> Self {
        assert!(
            !self.stderr.contains(text),
            "it says {text:?}:\n{}",
            self.all()
        );
        self
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }

    /// The outcome lines on standard output.
    pub(crate) fn lines(&self) -> Vec<Value> {
        in_order(outcomes(&self.text()))
    }

    /// The one outcome line on standard output.
    #[track_caller]
    pub(crate) fn line(&self) -> Value {
        let mut lines = self.lines();
        assert_eq!(lines.len(), 1, "{}", self.all());
        lines.remove(0)
    }

    fn all(&self) -> String {
        format!(
            "{}\nstdout:\n{}\nstderr:\n{}",
            self.status,
            self.text(),
            self.stderr
        )
    }
}

/// Ids and outcomes, in the order of the list.
pub(crate) fn settled_as(lines: &[Value]) -> Vec<(String, String)> {
    let lines = in_order(lines.to_vec());
    lines
        .iter()
        .map(|line| (text(&line["id"]), text(&line["outcome"])))
        .collect()
}

/// The ids in the order in which they settled.
pub(crate) fn ids(lines: &[Value]) -> Vec<String> {
    lines.iter().map(|line| text(&line["id"])).collect()
}

/// A JSON string's text.
#[track_caller]
pub(crate) fn text(value: &Value) -> String {
    value
        .as_str()
        .unwrap_or_else(|| panic!("no string: {value}"))
        .to_owned()
}

/// Whether a process is there and no zombie.
pub(crate) fn is_alive(pid: i32) -> bool {
    fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| {
        stat.rsplit(')')
            .next()
            .is_some_and(|rest| !rest.trim_start().starts_with(['Z', 'X']))
    })
}

/// Waits until a process is gone.
pub(crate) fn wait_gone(pid: i32) {
    wait_until(&format!("the end of process {pid}"), || {
        (!is_alive(pid)).then_some(())
    });
}
