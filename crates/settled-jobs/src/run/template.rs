//! The arguments of a command, with placeholders that each job fills in.

use std::ffi::OsString;
use std::fmt;
use std::os::unix::ffi::OsStrExt;

use super::strings::{NulInside, Strings};
use super::values::{Missing, Values};
use crate::json::pointer::Pointer;

/// A program and its arguments with placeholders. One argument stays one argument, whatever a placeholder stands for.
///
/// | placeholder | stands for |
/// |---|---|
/// | `{}` | the line; of a JSON line its `input`, or its `args` with a space between them |
/// | `{1}`, `{2}`, … | a column of the line or of `input`; of a JSON line with `args`, one of these |
/// | `{/pointer}` | a value of the JSON line by its JSON Pointer (RFC 6901): a string's text, anything else as compact JSON |
/// | `{#}` | the sequence number of the line |
/// | `{id}` | the job's id |
/// | `{{` | a literal `{` |
///
/// Only these forms are placeholders. Any other brace is an ordinary character, so `{a,b}`, `{print $1}` and `{"a":1}` pass as
/// they are. A pointer ends at the first `}`.
///
/// ```
/// use settled_jobs::run::Template;
///
/// let template = Template::parse(["convert", "{1}", "out/{#}.png"])?;
/// assert!(template.has_placeholder());
/// assert!(!Template::parse(["awk", "{print $1}"])?.has_placeholder());
/// # Ok::<(), settled_jobs::run::TemplateError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    args: Box<[Box<[Piece]>]>,
    /// The length of everything that is the same for all jobs.
    fixed: usize,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(Box<[u8]>),
    Input,
    Column(u32),
    Pointer(Pointer),
    Seq,
    Id,
}

impl Template {
    /// Reads a program and its arguments. The program may have placeholders too.
    ///
    /// # Errors
    /// If there is no program, an argument has a NUL byte, or a placeholder can't stand for anything (`{0}`, `{/a~2}`).
    pub fn parse<I>(args: I) -> Result<Self, TemplateError>
    where
        I: IntoIterator<Item: Into<OsString>>,
    {
        let args = args
            .into_iter()
            .map(|arg| pieces(arg.into().as_bytes()))
            .collect::<Result<Box<[_]>, _>>()?;
        if args.first().is_none_or(|program| program.is_empty()) {
            return Err(TemplateError::NoProgram);
        }
        let text = |piece: &Piece| {
            if let Piece::Text(text) = piece {
                text.len()
            } else {
                0
            }
        };
        let fixed = args
            .iter()
            .map(|arg| 1 + arg.iter().map(text).sum::<usize>())
            .sum();
        Ok(Self { args, fixed })
    }

    /// A placeholder occurs somewhere; if not, the input is appended.
    #[must_use]
    pub fn has_placeholder(&self) -> bool {
        self.placeholders().next().is_some()
    }

    /// The JSON pointers that the template follows.
    pub(super) fn pointers(&self) -> impl Iterator<Item = &Pointer> {
        self.placeholders().filter_map(|piece| {
            if let Piece::Pointer(pointer) = piece {
                Some(pointer)
            } else {
                None
            }
        })
    }

    fn placeholders(&self) -> impl Iterator<Item = &Piece> {
        self.args
            .iter()
            .flatten()
            .filter(|piece| !matches!(piece, Piece::Text(_)))
    }

    /// The arguments of one job; there is room for `more` bytes that come after them.
    pub(super) fn fill(&self, values: &Values<'_>, more: usize) -> Result<Strings, Missing> {
        let mut argv = Strings::with_capacity(self.fixed + more);
        for arg in &self.args {
            for piece in arg {
                piece.fill(values, &mut argv)?;
            }
            argv.end();
        }
        Ok(argv)
    }
}

impl Piece {
    fn fill(&self, values: &Values<'_>, argv: &mut Strings) -> Result<(), Missing> {
        match self {
            Self::Text(text) => argv.extend_last(text)?,
            Self::Input => argv.extend_last(&values.input()?)?,
            Self::Column(number) => argv.extend_last(values.column(*number)?)?,
            Self::Pointer(pointer) => argv.extend_last(values.pointed(pointer)?.as_bytes())?,
            Self::Seq => argv.extend_last(values.seq.to_string().as_bytes())?,
            Self::Id => match values.id {
                Some(id) => argv.extend_last(id.as_bytes())?,
                None => argv.extend_last(values.seq.to_string().as_bytes())?,
            },
        }
        Ok(())
    }
}

/// Cuts an argument into text and placeholders.
fn pieces(arg: &[u8]) -> Result<Box<[Piece]>, TemplateError> {
    if memchr::memchr(0, arg).is_some() {
        return Err(TemplateError::Nul);
    }
    let (mut pieces, mut text, mut rest) = (Vec::new(), Vec::new(), arg);
    while let Some(brace) = memchr::memchr(b'{', rest) {
        text.extend_from_slice(&rest[..brace]);
        rest = &rest[brace + 1..];
        if let Some(after) = rest.strip_prefix(b"{") {
            text.push(b'{');
            rest = after;
            continue;
        }
        match placeholder(rest)? {
            Some((piece, after)) => {
                if !text.is_empty() {
                    pieces.push(Piece::Text(std::mem::take(&mut text).into()));
                }
                pieces.push(piece);
                rest = after;
            }
            None => text.push(b'{'),
        }
    }
    text.extend_from_slice(rest);
    if !text.is_empty() {
        pieces.push(Piece::Text(text.into()));
    }
    Ok(pieces.into())
}

/// The placeholder whose opening brace stands just before `rest`, and what comes after it.
fn placeholder(rest: &[u8]) -> Result<Option<(Piece, &[u8])>, TemplateError> {
    let Some(end) = memchr::memchr(b'}', rest) else {
        return Ok(None);
    };
    let (name, after) = (&rest[..end], &rest[end + 1..]);
    let invalid = |why| TemplateError::Placeholder {
        name: String::from_utf8_lossy(name).into_owned(),
        why,
    };
    let piece = match name {
        b"" => Piece::Input,
        b"#" => Piece::Seq,
        b"id" => Piece::Id,
        [b'/', ..] => Piece::Pointer(pointer(name).ok_or_else(|| invalid("is no JSON pointer"))?),
        [b'0', ..] if name.iter().all(u8::is_ascii_digit) => {
            return Err(invalid("is no column: they count from 1"));
        }
        _ if name.iter().all(u8::is_ascii_digit) => {
            let number = std::str::from_utf8(name)
                .ok()
                .and_then(|name| name.parse().ok());
            Piece::Column(number.ok_or_else(|| invalid("is no column: the number is too large"))?)
        }
        _ => return Ok(None),
    };
    Ok(Some((piece, after)))
}

impl From<NulInside> for Missing {
    fn from(_: NulInside) -> Self {
        Self::Nul
    }
}

/// Why a template can't be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TemplateError {
    /// There is no program, or its name is empty.
    NoProgram,
    /// An argument has a NUL byte.
    Nul,
    /// A placeholder that can't stand for anything.
    Placeholder {
        /// What stands between its braces.
        name: String,
        /// What is wrong with it.
        why: &'static str,
    },
}

impl fmt::Display for TemplateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoProgram => f.write_str("no program to run"),
            Self::Nul => f.write_str("an argument of the command has a NUL byte"),
            Self::Placeholder { name, why } => write!(
                f,
                "`{{{name}}}` {why} (write `{{{{{name}}}` for the text itself)"
            ),
        }
    }
}

impl std::error::Error for TemplateError {}

fn pointer(text: &[u8]) -> Option<Pointer> {
    std::str::from_utf8(text).ok()?.parse().ok()
}
