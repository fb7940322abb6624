//! How the program ends: the table of exit statuses, in one place.

use std::fmt::Display;
use std::process::ExitCode;

use crate::show::escape::escape;
use crate::show::say;

/// How a command that was carried out ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// 0: every job of the list has a fulfilled newest line.
    Fulfilled,
    /// 1: the list came to its end, and some are not fulfilled.
    Unfulfilled,
    /// 2: wrong usage.
    Usage,
    /// 3: halted by `--halt`.
    Halted,
    /// 4: the ledger can't be used.
    Ledger,
    /// As a process ends that this signal has killed.
    Signal(i32),
}

impl Ended {
    pub(crate) fn into_code(self) -> ExitCode {
        match self {
            Self::Fulfilled => ExitCode::SUCCESS,
            Self::Unfulfilled => ExitCode::from(1),
            Self::Usage => ExitCode::from(2),
            Self::Halted => ExitCode::from(3),
            Self::Ledger => ExitCode::from(4),
            Self::Signal(signal) => {
                // So that a calling shell sees that the signal ended us, and stops its loop as well.
                let _ = signal_hook::low_level::emulate_default_handler(signal);
                ExitCode::from(128u8.wrapping_add(signal as u8))
            }
        }
    }
}

/// A command that could not be carried out: what to say, and how to end.
#[derive(Debug)]
pub(crate) struct Stop {
    message: String,
    ended: Ended,
}

impl Stop {
    /// Wrong usage, input that can't be opened.
    pub(crate) fn usage(message: impl Display) -> Self {
        Self {
            message: message.to_string(),
            ended: Ended::Usage,
        }
    }

    /// Something of what was asked for can't be had.
    pub(crate) fn unfulfilled(message: impl Display) -> Self {
        Self {
            message: message.to_string(),
            ended: Ended::Unfulfilled,
        }
    }

    /// The ledger can't be used.
    pub(crate) fn ledger(message: impl Display) -> Self {
        Self {
            message: message.to_string(),
            ended: Ended::Ledger,
        }
    }

    /// Says it, and gives back how to end.
    pub(crate) fn report(self) -> Ended {
        for (line, first) in self
            .message
            .lines()
            .zip(std::iter::once(true).chain(std::iter::repeat(false)))
        {
            let start = if first { "settled: " } else { "  " };
            say!("{start}{}", escape(line));
        }
        self.ended
    }
}
