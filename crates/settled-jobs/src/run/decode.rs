//! A line of the list as a job.

use std::borrow::Cow;

use serde_json::value::RawValue;

use super::config::{Program, RunConfig};
use super::json::{JsonLine, Whose};
use super::spec::CommandSpec;
use super::strings::Strings;
use super::values::{Data, Missing, Values};
use crate::job::{Id, Input, Job, Key, Line};
use crate::record::{ErrorKind, Failure};

/// Where `sh` is on every system that has one.
const SHELL: &[u8] = b"/bin/sh";

/// Reads lines as commands.
#[derive(Debug)]
pub(super) struct Decoder {
    program: Program,
    append: bool,
    separator: Option<super::config::Separator>,
}

impl Decoder {
    pub(super) fn new(config: &RunConfig) -> Self {
        let append = match &config.program {
            Program::Template(template) => config.append && !template.has_placeholder(),
            Program::Shell(_) => true,
        };
        Self {
            program: config.program.clone(),
            append,
            separator: config.separator.clone(),
        }
    }

    pub(super) fn decode(&self, line: Line<'_>) -> Result<Job<CommandSpec>, Failure> {
        if line.json {
            self.json(line).map_err(invalid)
        } else {
            self.plain(line)
                .map_err(|missing| invalid(missing.to_string()))
        }
    }

    fn plain(&self, line: Line<'_>) -> Result<Job<CommandSpec>, Missing> {
        let values = Values {
            seq: line.seq,
            id: None,
            data: Data::Input(line.bytes),
            separator: self.separator.as_ref(),
            json: None,
        };
        Ok(Job {
            seq: line.seq,
            id: Id::Line,
            key: Key::of(line.bytes),
            input: Input::of_line(line.bytes),
            timeout: None,
            meta: None,
            spec: CommandSpec {
                argv: self.argv(&values)?,
                env: None,
                cwd: None,
                stdin: None,
            },
        })
    }

    fn json(&self, line: Line<'_>) -> Result<Job<CommandSpec>, String> {
        let text = std::str::from_utf8(line.bytes).map_err(|error| {
            format!(
                "not a JSON object: no UTF-8 at column {}",
                error.valid_up_to() + 1
            )
        })?;
        let json = JsonLine::parse(text, |member| self.whose(member))?;
        let data = match (&json.args, &json.input) {
            (Some((_, args)), _) => Data::Args(args),
            (None, Some(input)) => Data::Input(input.as_bytes()),
            (None, None) if self.append => {
                return Err("neither `args` nor `input` is given".to_owned());
            }
            (None, None) => Data::Neither,
        };
        let values = Values {
            seq: line.seq,
            id: json.id.as_deref(),
            data,
            separator: self.separator.as_ref(),
            json: Some(text),
        };
        let argv = self.argv(&values).map_err(|missing| missing.to_string())?;
        Ok(Job {
            seq: line.seq,
            id: json.id.as_deref().map_or(Id::Line, |id| Id::Own(id.into())),
            key: json.key(self.points_to("meta")),
            input: shown(&json),
            timeout: json.timeout,
            meta: json.meta.map(RawValue::to_owned),
            spec: CommandSpec {
                argv,
                env: json.changes()?,
                cwd: json.directory()?,
                stdin: json
                    .stdin
                    .map(Cow::into_owned)
                    .map(|stdin| stdin.into_bytes().into()),
            },
        })
    }

    fn argv(&self, values: &Values<'_>) -> Result<Strings, Missing> {
        let mut argv = match &self.program {
            Program::Template(template) => template.fill(values, values.size())?,
            Program::Shell(text) => shell(text.as_encoded_bytes(), values.size())?,
        };
        if self.append {
            values.list(|value| Ok(argv.push(value)?))?;
        }
        Ok(argv)
    }

    fn whose(&self, member: &str) -> Whose {
        match &self.program {
            _ if self.points_to(member) => Whose::Templates,
            Program::Template(template) if template.pointers().next().is_some() => Whose::Data,
            _ => Whose::Nobodys,
        }
    }

    fn points_to(&self, member: &str) -> bool {
        match &self.program {
            Program::Template(template) => template
                .pointers()
                .any(|pointer| pointer.member() == Some(member)),
            Program::Shell(_) => false,
        }
    }
}

fn shell(text: &[u8], more: usize) -> Result<Strings, Missing> {
    let mut argv = Strings::with_capacity(text.len() + more + 16);
    for arg in [SHELL, b"-c", text, b"sh"] {
        argv.push(arg)?;
    }
    Ok(argv)
}

/// What an outcome line shows as the input of a JSON line: its `args` or `input`, else the members that are the user's own.
/// Never `env` or `stdin`, which may hold secrets.
fn shown(json: &JsonLine<'_>) -> Input {
    if let Some((args, _)) = json.args {
        return Input::Json(args.to_owned());
    }
    if let Some(input) = &json.input {
        return Input::Text(input.as_ref().into());
    }
    let members: Vec<String> = json
        .own
        .iter()
        .map(|(name, value)| format!("{}:{}", serde_json::Value::from(&**name), value.get()))
        .collect();
    let object = format!("{{{}}}", members.join(","));
    RawValue::from_string(object).map_or(Input::Text("".into()), Input::Json)
}

fn invalid(message: impl Into<Cow<'static, str>>) -> Failure {
    Failure::permanent(ErrorKind::Input, message)
}
