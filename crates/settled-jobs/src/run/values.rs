//! What the placeholders of a template stand for, for one job.

use std::borrow::Cow;
use std::fmt;

use super::config::Separator;
use crate::json::pointer::Pointer;

/// The values of one job.
#[derive(Debug)]
pub(super) struct Values<'a> {
    pub(super) seq: u64,
    /// `None`: the sequence number is the id.
    pub(super) id: Option<&'a str>,
    pub(super) data: Data<'a>,
    pub(super) separator: Option<&'a Separator>,
    /// The JSON line, where there is one.
    pub(super) json: Option<&'a str>,
}

/// What a line gives to its command.
#[derive(Debug)]
pub(super) enum Data<'a> {
    /// A plain line, or the `input` of a JSON line.
    Input(&'a [u8]),
    /// The `args` of a JSON line.
    Args(&'a [Cow<'a, str>]),
    /// A JSON line with neither.
    Neither,
}

impl Values<'_> {
    /// `{}`
    pub(super) fn input(&self) -> Result<Cow<'_, [u8]>, Missing> {
        match self.data {
            Data::Input(line) => Ok(Cow::Borrowed(line)),
            Data::Args([one]) => Ok(Cow::Borrowed(one.as_bytes())),
            Data::Args(args) => Ok(Cow::Owned(args.join(" ").into_bytes())),
            Data::Neither => Err(Missing::Input),
        }
    }

    /// `{1}`, `{2}`, …
    pub(super) fn column(&self, number: u32) -> Result<&[u8], Missing> {
        static TAB: std::sync::LazyLock<Separator> = std::sync::LazyLock::new(Separator::default);
        let index = number as usize - 1;
        let missing = |columns| Missing::Column { number, columns };
        match self.data {
            Data::Input(line) => {
                let separator = self.separator.unwrap_or(&TAB);
                separator
                    .split(line)
                    .nth(index)
                    .ok_or_else(|| missing(separator.split(line).count()))
            }
            Data::Args(args) => args
                .get(index)
                .map(|arg| arg.as_bytes())
                .ok_or_else(|| missing(args.len())),
            Data::Neither => Err(missing(0)),
        }
    }

    /// `{/pointer}`
    pub(super) fn pointed(&self, pointer: &Pointer) -> Result<Cow<'_, str>, Missing> {
        let json = self.json.ok_or_else(|| Missing::NoJson(pointer.clone()))?;
        pointer
            .text_in(json)
            .ok_or_else(|| Missing::Pointer(pointer.clone()))
    }

    /// What is appended where no placeholder asks for anything, and what a shell gets as `$1`, `$2`, …: the columns if a
    /// separator was given, else the line.
    pub(super) fn list(
        &self,
        mut each: impl FnMut(&[u8]) -> Result<(), Missing>,
    ) -> Result<(), Missing> {
        match (&self.data, self.separator) {
            (Data::Input(line), Some(separator)) => separator.split(line).try_for_each(each),
            (Data::Input(line), None) => each(line),
            (Data::Args(args), _) => args.iter().try_for_each(|arg| each(arg.as_bytes())),
            (Data::Neither, _) => Ok(()),
        }
    }

    /// About how many bytes [`Values::list`] makes, terminators included.
    pub(super) fn size(&self) -> usize {
        match self.data {
            Data::Input(line) => line.len() + 1,
            Data::Args(args) => args.iter().map(|arg| arg.len() + 1).sum(),
            Data::Neither => 0,
        }
    }
}

/// Why a job's arguments can't be made.
#[derive(Debug)]
pub(super) enum Missing {
    Input,
    Column { number: u32, columns: usize },
    Pointer(Pointer),
    NoJson(Pointer),
    Nul,
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Input => {
                f.write_str("`{}` has no value: the line has neither `input` nor `args`")
            }
            Self::Column { number, columns: 1 } => {
                write!(f, "`{{{number}}}` has no value: the line has 1 column")
            }
            Self::Column { number, columns } => write!(
                f,
                "`{{{number}}}` has no value: the line has {columns} columns"
            ),
            Self::Pointer(pointer) => write!(
                f,
                "`{{{pointer}}}` has no value: the line has no such member"
            ),
            Self::NoJson(pointer) => {
                write!(f, "`{{{pointer}}}` has no value: the line is not JSON")
            }
            Self::Nul => f.write_str("a NUL byte can't be passed to a command"),
        }
    }
}
