//! The signals that end a command.

use std::future::poll_fn;
use std::io;
use std::sync::Arc;
use std::task::Poll;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGXFSZ};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// INT, TERM and HUP, as they come.
#[derive(Debug)]
pub(crate) struct Signals(Vec<(i32, Signal)>);

impl Signals {
    /// Takes the signals over; has to be called inside of a runtime.
    ///
    /// One that was ignored when we were started (by `nohup`, or by a shell that put us into the background) stays so.
    pub(crate) fn listen() -> io::Result<Self> {
        let ignored = ignored();
        let sources = [SIGINT, SIGTERM, SIGHUP]
            .into_iter()
            .filter(|number| ignored & (1 << (number - 1)) == 0)
            .map(|number| Ok((number, signal(SignalKind::from_raw(number))?)))
            .collect::<io::Result<_>>()?;
        Ok(Self(sources))
    }

    /// The next signal's number. Cancel safe.
    pub(crate) async fn next(&mut self) -> i32 {
        poll_fn(|cx| {
            for (number, source) in &mut self.0 {
                if source.poll_recv(cx).is_ready() {
                    return Poll::Ready(*number);
                }
            }
            Poll::Pending
        })
        .await
    }
}

/// A limit on the size of files is from now on an error of the write, as a full disk is, and not our end.
pub(crate) fn outlive_file_limits() {
    // Should it not be to be had, the kernel's default holds: the run ends, and can be resumed.
    let _ = signal_hook::flag::register(SIGXFSZ, Arc::default());
}

/// What a signal is called.
pub(crate) fn name(number: i32) -> &'static str {
    match number {
        SIGTERM => "TERM",
        SIGHUP => "HUP",
        _ => "INT",
    }
}

/// Ends the process as this signal would have ended it, now.
pub(crate) fn leave(number: i32) -> ! {
    let _ = signal_hook::low_level::emulate_default_handler(number);
    std::process::exit(128 + number);
}

/// A bit for each signal that was ignored from the start.
fn ignored() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    line.and_then(|hex| u64::from_str_radix(hex.trim(), 16).ok())
        .unwrap_or(0)
}
