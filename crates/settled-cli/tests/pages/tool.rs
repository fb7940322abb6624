//! The binary with arguments, and what came out of it.

use std::io::Read;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, ExitStatus, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use settled_testserver::{Answer, Request, Server};

/// What came of a command.
#[derive(Debug)]
pub(crate) struct Ran {
    status: ExitStatus,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Ran {
    #[track_caller]
    pub(crate) fn exits(self, code: i32) -> Self {
        assert_eq!(self.status.code(), Some(code), "{self:#?}");
        self
    }

    #[track_caller]
    pub(crate) fn ends_by(self, signal: Signal) -> Self {
        assert_eq!(self.status.signal(), Some(signal.as_raw()), "{self:#?}");
        self
    }

    #[track_caller]
    pub(crate) fn says(self, text: &str) -> Self {
        assert!(self.err.contains(text), "no {text:?} in {self:#?}");
        self
    }
}

/// `settled pages URL ARGS..`, the arguments as one text.
pub(crate) fn command(url: &str, args: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_settled"));
    command
        .args(["pages", url, "--no-proxy", "--backoff", "1ms..5ms"])
        .args(args.split_whitespace())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

pub(crate) fn settled(url: &str, args: &str) -> Ran {
    end(command(url, args).spawn().expect("it starts"))
}

/// Waits for the end of a command, and takes what it still has to say.
pub(crate) fn end(child: Child) -> Ran {
    let output = child.wait_with_output().expect("its end");
    Ran {
        status: output.status,
        out: String::from_utf8(output.stdout).expect("text"),
        err: String::from_utf8(output.stderr).expect("text"),
    }
}

/// As [`end`], where standard output was taken away or stays unread.
pub(crate) fn end_unread(mut child: Child) -> Ran {
    let mut err = String::new();
    let mut stderr = child.stderr.take().expect("standard error");
    stderr.read_to_string(&mut err).expect("text");
    Ran {
        status: child.wait().expect("its end"),
        out: String::new(),
        err,
    }
}

pub(crate) fn kill(child: &Child, signal: Signal) {
    kill_process(Pid::from_child(child), signal).expect("it is there");
}

pub(crate) fn serve(handler: impl Fn(&Request) -> Answer + Send + Sync + 'static) -> Server {
    Server::start_blocking(handler).expect("a server")
}

/// The page that is asked for, from 1.
pub(crate) fn page(request: &Request) -> u64 {
    request
        .query("page")
        .map_or(1, |page| page.parse().expect("a number"))
}

/// Pages of `{"data":[{"n":N}]}`, one item each, the last one is `last`.
pub(crate) fn list(request: &Request, last: u64) -> Answer {
    let page = page(request);
    let next = (page < last).then(|| format!("?page={}", page + 1));
    Answer::page(&[format!("{{\"n\": {page}}}")], next.as_deref())
}
