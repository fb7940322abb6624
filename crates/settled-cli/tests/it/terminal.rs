//! A terminal of the test's own: what a person would see.

use std::fs::File;
use std::io::Read;
use std::os::fd::OwnedFd;
use std::process::{Child, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use rustix::fs::{Mode, OFlags};
use rustix::process::{Pid, Signal, kill_process};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcgetattr, tcsetwinsize};

use crate::tool::{Tool, wait_until};

/// The tool, whose standard error is a terminal of 100 columns.
pub(crate) struct OnTerminal {
    child: Child,
    seen: Arc<Mutex<Vec<u8>>>,
    reader: Option<JoinHandle<()>>,
    /// Kept open, so that its settings can be read when the tool is gone.
    terminal: Option<OwnedFd>,
    before: String,
}

/// What a terminal showed.
pub(crate) struct Seen {
    pub(crate) status: ExitStatus,
    pub(crate) text: String,
    /// The terminal's settings are what they were.
    pub(crate) settings_kept: bool,
}

impl OnTerminal {
    /// Starts it; standard output goes to the terminal as well if `stdout` is set.
    pub(crate) fn start(mut tool: Tool, stdout: bool) -> Self {
        let screen = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)
            .expect("a terminal");
        grantpt(&screen)
            .and_then(|()| unlockpt(&screen))
            .expect("a terminal");
        let name = ptsname(&screen, Vec::new()).expect("its name");
        let terminal = rustix::fs::open(
            &*name,
            OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC,
            Mode::empty(),
        )
        .expect("a terminal");
        let size = Winsize {
            ws_row: 30,
            ws_col: 100,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        tcsetwinsize(&terminal, size).expect("a size");
        let before = format!("{:?}", tcgetattr(&terminal).expect("settings"));
        let other = || Stdio::from(terminal.try_clone().expect("a descriptor"));
        tool.command.stdin(Stdio::null()).stderr(other());
        tool.command
            .stdout(if stdout { other() } else { Stdio::null() });
        if !tool.command.get_envs().any(|(name, _)| name == "TERM") {
            tool.command.env("TERM", "xterm");
        }
        let child = tool.command.spawn().expect("settled starts");
        drop(tool);
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (from, to) = (File::from(screen), Arc::clone(&seen));
        let reader = Some(thread::spawn(move || watch(from, &to)));
        Self {
            child,
            seen,
            reader,
            terminal: Some(terminal),
            before,
        }
    }

    /// Waits until this is on the screen.
    pub(crate) fn sees(&self, text: &str) {
        wait_until(&format!("{text:?} on the screen"), || {
            self.text().contains(text).then_some(())
        });
    }

    fn text(&self) -> String {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&seen).into_owned()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        kill_process(pid.expect("a pid"), signal).expect("a signal");
    }

    pub(crate) fn end(mut self) -> Seen {
        let status = wait_until("the end of settled", || {
            self.child.try_wait().expect("a status")
        });
        let terminal = self.terminal.take().expect("its end is waited for once");
        let settings_kept = format!("{:?}", tcgetattr(&terminal).expect("settings")) == self.before;
        // The last descriptor: the reader sees the end.
        drop(terminal);
        if let Some(reader) = self.reader.take() {
            reader.join().expect("the reader");
        }
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        Seen {
            status,
            text: String::from_utf8_lossy(&seen).into_owned(),
            settings_kept,
        }
    }
}

impl Drop for OnTerminal {
    /// A test that failed leaves nothing behind.
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Reads what comes, to the end: on Linux that is an error.
fn watch(mut from: File, to: &Mutex<Vec<u8>>) {
    let mut buffer = [0; 4096];
    while let Ok(n @ 1..) = from.read(&mut buffer) {
        to.lock()
            .unwrap_or_else(PoisonError::into_inner)
            .extend_from_slice(&buffer[..n]);
    }
}
