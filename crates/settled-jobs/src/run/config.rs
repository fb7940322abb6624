//! What a run of commands is told: the command, what counts as success, what is kept.

use std::ffi::OsString;
use std::fmt;
use std::ops::RangeInclusive;
use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;

use super::template::Template;

/// What is kept of a stream in the outcome line by default: 1 MiB.
pub const INLINE: usize = 1 << 20;

/// How the commands of a list are made and run.
#[derive(Clone, Debug)]
pub struct RunConfig {
    /// What runs.
    pub program: Program,
    /// Appends the input as last argument(s) where the template has no placeholder. Says nothing for [`Program::Shell`], which
    /// always gets its values.
    pub append: bool,
    /// Between the columns of a line. Not given, a line is one value, and `{1}`, `{2}`, … count its tab-separated columns.
    pub separator: Option<Separator>,
    /// The exit statuses that are a success.
    pub ok_exit: ExitCodes,
    /// A failing exit status, or a signal, may be retried.
    pub retry_exit: bool,
    /// Which ones may be, where not all of them: statuses, and signals as a shell counts them (128 and the signal's number).
    pub retry_on: Option<ExitCodes>,
    /// How many bytes of each stream are kept in the outcome line.
    pub inline: usize,
    /// Where a stream that is longer goes, whole: `<seq>.stdout`, `<seq>.stderr`. `None`: the rest is dropped and flagged.
    pub save_dir: Option<Arc<Path>>,
    /// Keeps what goes to standard output; else it goes to `/dev/null`.
    pub keep_stdout: bool,
    /// Keeps what goes to standard error; else it goes to `/dev/null`, and no message can quote it.
    pub keep_stderr: bool,
    /// How processes are started.
    pub spawner: Spawner,
}

impl RunConfig {
    /// Runs `program` with the defaults of the command line: input appended, 0 is the one good status, no retries, 1 MiB a
    /// stream.
    #[must_use]
    pub fn new(program: Program) -> Self {
        Self {
            program,
            append: true,
            separator: None,
            ok_exit: ExitCodes::default(),
            retry_exit: false,
            retry_on: None,
            inline: INLINE,
            save_dir: None,
            keep_stdout: true,
            keep_stderr: true,
            spawner: Spawner::Auto,
        }
    }

    /// Another try may be made after this status (of a signal, 128 and its number).
    pub(super) fn retries(&self, status: i32) -> bool {
        let chosen = self.retry_on.as_ref();
        self.retry_exit && chosen.is_none_or(|statuses| statuses.contains(status))
    }
}

/// What runs for each job.
#[derive(Clone, Debug)]
pub enum Program {
    /// A program and its arguments, with placeholders; no shell is involved.
    Template(Template),
    /// A text for `/bin/sh -c`; the values are its `$1`, `$2`, … and are never pasted into it.
    Shell(OsString),
}

/// How processes are started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Spawner {
    /// The fast way where the system allows it (Linux 5.3, `clone` not filtered), else [`Spawner::Portable`].
    #[default]
    Auto,
    /// The standard library's way and a waiting thread per child.
    Portable,
}

/// What stands between the columns of a line: one byte or more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Separator(Box<[u8]>);

impl Separator {
    /// `None` for an empty separator: it would separate nothing.
    #[must_use]
    pub fn new(bytes: impl Into<Box<[u8]>>) -> Option<Self> {
        let bytes = bytes.into();
        (!bytes.is_empty()).then_some(Self(bytes))
    }

    /// The columns of `line`; there is always at least one.
    pub(super) fn split<'a>(&'a self, line: &'a [u8]) -> impl Iterator<Item = &'a [u8]> {
        let mut rest = Some(line);
        std::iter::from_fn(move || {
            let line = rest?;
            let (column, after) = match self.find(line) {
                Some(at) => (&line[..at], Some(&line[at + self.0.len()..])),
                None => (line, None),
            };
            rest = after;
            Some(column)
        })
    }

    fn find(&self, line: &[u8]) -> Option<usize> {
        match *self.0 {
            [byte] => memchr::memchr(byte, line),
            _ => memchr::memmem::find(line, &self.0),
        }
    }
}

impl Default for Separator {
    /// A tab.
    fn default() -> Self {
        Self(Box::new([b'\t']))
    }
}

/// A set of exit statuses; by default just 0.
///
/// ```
/// use settled_jobs::run::ExitCodes;
///
/// let ok: ExitCodes = "0,2-4".parse()?;
/// assert!(ok.contains(3) && !ok.contains(1));
/// # Ok::<(), settled_jobs::run::InvalidExitCodes>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExitCodes(Vec<RangeInclusive<u8>>);

impl ExitCodes {
    /// `status` is in the set.
    #[must_use]
    pub fn contains(&self, status: i32) -> bool {
        u8::try_from(status).is_ok_and(|status| self.0.iter().any(|range| range.contains(&status)))
    }
}

impl Default for ExitCodes {
    fn default() -> Self {
        Self(vec![0..=0])
    }
}

impl FromStr for ExitCodes {
    type Err = InvalidExitCodes;

    /// Reads statuses and ranges, separated by commas: `0,2-4`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let invalid = || InvalidExitCodes(text.to_owned());
        let status = |text: &str| text.trim().parse::<u8>().map_err(|_| invalid());
        let range = |part: &str| {
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            let range = status(first)?..=status(last)?;
            if range.is_empty() {
                Err(invalid())
            } else {
                Ok(range)
            }
        };
        text.split(',')
            .map(range)
            .collect::<Result<_, _>>()
            .map(Self)
    }
}

/// A text that is no set of exit statuses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidExitCodes(String);

impl fmt::Display for InvalidExitCodes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "`{}` is no list of exit statuses: write statuses from 0 to 255 and ranges, as in 0,2-4",
            self.0
        )
    }
}

impl std::error::Error for InvalidExitCodes {}
