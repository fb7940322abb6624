//! What is said of a command that could not be started, or did not do well.

use std::borrow::Cow;
use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::Duration;

use super::spawn::{Refused, Stage};
use super::spec::CommandSpec;
use crate::record::{ErrorKind, Failure};

/// How much of a command's last words goes into a message, in bytes.
const LAST_WORDS: usize = 200;

/// A limit of the system was met: it passes when other processes end.
pub(super) fn is_pressure(error: &io::Error) -> bool {
    matches!(
        error.raw_os_error(),
        Some(libc::EAGAIN | libc::ENOMEM | libc::EMFILE | libc::ENFILE)
    )
}

/// Somebody has the program open for writing at this moment.
pub(super) fn is_busy(error: &io::Error) -> bool {
    error.raw_os_error() == Some(libc::ETXTBSY)
}

/// A command that could not be started.
pub(super) fn spawn(spec: &CommandSpec, refused: &Refused) -> Failure {
    let error = &refused.error;
    let program = String::from_utf8_lossy(spec.argv.iter().next().unwrap_or_default());
    if is_pressure(error) {
        let message = format!(
            "can't start {program}: {error}; a limit on processes, open files or memory stayed reached \
             (fewer jobs at a time, or a higher `ulimit -u` or `-n`, would help)"
        );
        return Failure::transient(ErrorKind::Spawn, message);
    }
    let message = match refused.stage {
        Stage::Cwd => directory(spec, error),
        Stage::Exec => exec(spec, &program, error),
        Stage::Pipes => format!("can't make its pipes: {error}"),
        Stage::Clone | Stage::Group | Stage::Stdio | Stage::Watch => {
            format!("can't start {program}: {error}")
        }
    };
    Failure {
        retry: is_busy(error),
        ..Failure::permanent(ErrorKind::Spawn, message)
    }
}

fn directory(spec: &CommandSpec, error: &io::Error) -> String {
    let cwd = spec
        .cwd
        .as_deref()
        .map(|cwd| cwd.to_string_lossy())
        .unwrap_or_default();
    match error.raw_os_error() {
        Some(libc::ENOENT) => format!("no such directory (cwd): {cwd}"),
        Some(libc::ENOTDIR) => format!("not a directory (cwd): {cwd}"),
        Some(libc::EACCES) => format!("permission denied (cwd): {cwd}"),
        _ => format!("can't change the directory (cwd) to {cwd}: {error}"),
    }
}

fn exec(spec: &CommandSpec, program: &str, error: &io::Error) -> String {
    match error.raw_os_error() {
        Some(libc::ENOENT) if is_there(spec) => {
            format!("can't run {program}: its interpreter (#! line) was not found")
        }
        Some(libc::ENOENT | libc::ENOTDIR) => format!("command not found: {program}"),
        Some(libc::EACCES) => format!("permission denied: {program} (is it executable?)"),
        Some(libc::E2BIG) => format!(
            "argument list too long: {} bytes for {program} (a single argument may have 128 KiB, all of them with the \
             environment usually 2 MiB)",
            spec.argv.bytes().len()
        ),
        _ => format!("can't start {program}: {error}"),
    }
}

/// A program that is given by its path is there, so something else is missing.
fn is_there(spec: &CommandSpec) -> bool {
    let program = spec.argv.iter().next().unwrap_or_default();
    let cwd = spec
        .cwd
        .as_deref()
        .map(|cwd| OsStr::from_bytes(cwd.to_bytes()));
    let path = Path::new(cwd.unwrap_or(OsStr::new(""))).join(OsStr::from_bytes(program));
    program.contains(&b'/') && path.is_file()
}

/// A command that exited with a status that is not wanted.
pub(super) fn exit(status: i32, last_line: &[u8], retry: bool) -> Failure {
    let message = match last_words(last_line) {
        words if words.is_empty() => format!("exit status {status}"),
        words => format!("exit status {status}: {words}"),
    };
    Failure {
        retry,
        ..Failure::permanent(ErrorKind::Exit, message)
    }
}

/// A command that a signal ended.
pub(super) fn signal(number: i32, retry: bool) -> Failure {
    let message = match name(number) {
        Some(name) => format!("killed by {name} ({number})"),
        None => format!("killed by signal {number}"),
    };
    Failure {
        retry,
        ..Failure::permanent(ErrorKind::Signal, message)
    }
}

/// A command that took too long. `limit` is its own; `None`: the job's total time.
pub(super) fn timeout(limit: Option<Duration>) -> Failure {
    match limit {
        Some(limit) => {
            Failure::transient(ErrorKind::Timeout, format!("still running after {limit:?}"))
        }
        None => Failure::transient(ErrorKind::Timeout, "the job's total time was up"),
    }
}

/// A command whose output could not be kept.
pub(super) fn output(error: &io::Error) -> Failure {
    Failure::permanent(ErrorKind::Io, format!("can't keep the output: {error}"))
}

/// A command whose status is not to be had.
pub(super) fn no_status() -> Failure {
    Failure::permanent(
        ErrorKind::Io,
        "the exit status was taken by something else in this process",
    )
}

/// Text from outside: as it came, but cut between characters.
fn last_words(line: &[u8]) -> Cow<'_, str> {
    let text = String::from_utf8_lossy(line);
    if text.len() <= LAST_WORDS {
        return text;
    }
    let end = (0..=LAST_WORDS - '…'.len_utf8())
        .rev()
        .find(|&end| text.is_char_boundary(end))
        .unwrap_or(0);
    Cow::Owned(format!("{}…", &text[..end]))
}

fn name(signal: i32) -> Option<&'static str> {
    const NAMES: [(i32, &str); 25] = [
        (libc::SIGHUP, "SIGHUP"),
        (libc::SIGINT, "SIGINT"),
        (libc::SIGQUIT, "SIGQUIT"),
        (libc::SIGILL, "SIGILL"),
        (libc::SIGTRAP, "SIGTRAP"),
        (libc::SIGABRT, "SIGABRT"),
        (libc::SIGBUS, "SIGBUS"),
        (libc::SIGFPE, "SIGFPE"),
        (libc::SIGKILL, "SIGKILL"),
        (libc::SIGUSR1, "SIGUSR1"),
        (libc::SIGSEGV, "SIGSEGV"),
        (libc::SIGUSR2, "SIGUSR2"),
        (libc::SIGPIPE, "SIGPIPE"),
        (libc::SIGALRM, "SIGALRM"),
        (libc::SIGTERM, "SIGTERM"),
        (libc::SIGCHLD, "SIGCHLD"),
        (libc::SIGCONT, "SIGCONT"),
        (libc::SIGSTOP, "SIGSTOP"),
        (libc::SIGXCPU, "SIGXCPU"),
        (libc::SIGXFSZ, "SIGXFSZ"),
        (libc::SIGVTALRM, "SIGVTALRM"),
        (libc::SIGPROF, "SIGPROF"),
        (libc::SIGIO, "SIGIO"),
        (libc::SIGSYS, "SIGSYS"),
        (libc::SIGWINCH, "SIGWINCH"),
    ];
    NAMES
        .iter()
        .find(|(number, _)| *number == signal)
        .map(|(_, name)| *name)
}
