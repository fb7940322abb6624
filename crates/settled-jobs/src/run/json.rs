//! A JSON line as its members.

use std::borrow::Cow;
use std::ffi::CString;
use std::time::Duration;

use serde_json::value::RawValue;

use super::spec::Changes;
use crate::job::{Key, KeyHasher};
use crate::json::members::Members;
use crate::json::text::{canonical, string};

const KNOWN: &str = "id, args, input, env, cwd, stdin, timeout, meta";

/// Whose a member is that a job does not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Whose {
    /// A pointer of the template goes through it.
    Templates,
    /// The template points into the lines, so they are data, of which it takes what it wants.
    Data,
    /// A misspelt member of a job, most likely.
    Nobodys,
}

/// A variable to set, or to take away.
type Variable<'a> = (String, Option<Cow<'a, str>>);

/// The members of a JSON line, each of its right type.
#[derive(Debug, Default)]
pub(super) struct JsonLine<'a> {
    pub(super) id: Option<Cow<'a, str>>,
    pub(super) args: Option<(&'a RawValue, Vec<Cow<'a, str>>)>,
    pub(super) input: Option<Cow<'a, str>>,
    pub(super) env: Vec<Variable<'a>>,
    pub(super) cwd: Option<Cow<'a, str>>,
    pub(super) stdin: Option<Cow<'a, str>>,
    pub(super) timeout: Option<Duration>,
    pub(super) meta: Option<&'a RawValue>,
    /// Members that only the template's pointers know.
    pub(super) own: Vec<(String, &'a RawValue)>,
}

impl<'a> JsonLine<'a> {
    /// Reads `line`; `whose` says of a member that a job does not have whether it is somebody else's.
    ///
    /// A member that is `null` counts as absent. The error says what is wrong and names the member.
    pub(super) fn parse(line: &'a str, whose: impl Fn(&str) -> Whose) -> Result<Self, String> {
        let members: Members<'a> = serde_json::from_str(line).map_err(|error| syntax(&error))?;
        if let Some(name) = members.repeated() {
            return Err(format!("`{name}` occurs twice"));
        }
        let mut parsed = Self::default();
        for (name, value) in &members.0 {
            if value.get() != "null" || !KNOWN.split(", ").any(|known| known == name) {
                parsed.member(name, value, &whose)?;
            }
        }
        if parsed.args.is_some() && parsed.input.is_some() {
            return Err("`args` and `input` exclude each other".to_owned());
        }
        Ok(parsed)
    }

    fn member(
        &mut self,
        name: &str,
        value: &'a RawValue,
        whose: impl Fn(&str) -> Whose,
    ) -> Result<(), String> {
        match name {
            "id" => self.id = Some(id(value)?),
            "args" => self.args = Some((value, args(value)?)),
            "input" => self.input = Some(text("input", value)?),
            "env" => self.env = env(value)?,
            "cwd" => self.cwd = Some(text("cwd", value)?),
            "stdin" => self.stdin = Some(text("stdin", value)?),
            "timeout" => self.timeout = Some(timeout(value)?),
            "meta" => self.meta = Some(value),
            other => match whose(other) {
                Whose::Templates => self.own.push((name.to_owned(), value)),
                Whose::Data => {}
                Whose::Nobodys => {
                    return Err(format!(
                        "unknown member `{other}` (known are {KNOWN}; what is yours belongs into `meta`)"
                    ));
                }
            },
        }
        Ok(())
    }

    /// The job's changes of the environment.
    pub(super) fn changes(&self) -> Result<Option<Box<Changes>>, String> {
        let mut changes = Changes::default();
        for (name, value) in &self.env {
            let pushed = match value {
                Some(value) => changes.set.push(format!("{name}={value}").as_bytes()),
                None => changes.removed.push(name.as_bytes()),
            };
            pushed.map_err(|_| format!("`env.{name}` has a NUL character"))?;
        }
        Ok((!self.env.is_empty()).then(|| Box::new(changes)))
    }

    /// The job's working directory.
    pub(super) fn directory(&self) -> Result<Option<CString>, String> {
        match self.cwd.as_deref() {
            None => Ok(None),
            Some("") => Err("`cwd` is empty".to_owned()),
            Some(cwd) => CString::new(cwd)
                .map(Some)
                .map_err(|_| "`cwd` has a NUL character".to_owned()),
        }
    }

    /// A hash of everything that decides what the command does: all but `id`, and but `meta` unless the template uses it.
    pub(super) fn key(&self, meta_matters: bool) -> Key {
        let mut key = KeyHasher::new();
        let mut member = |name: &str, value: &str| {
            key.part(name.as_bytes());
            key.part(value.as_bytes());
        };
        self.args
            .iter()
            .flat_map(|(_, args)| args)
            .for_each(|arg| member("arg", arg));
        for (name, value) in [
            ("input", &self.input),
            ("cwd", &self.cwd),
            ("stdin", &self.stdin),
        ] {
            value.iter().for_each(|value| member(name, value));
        }
        let mut env: Vec<_> = self.env.iter().collect();
        env.sort_unstable();
        for (name, value) in env {
            member(if value.is_some() { "env" } else { "unset" }, name);
            member("=", value.as_deref().unwrap_or_default());
        }
        self.timeout
            .iter()
            .for_each(|timeout| member("timeout", &timeout.as_nanos().to_string()));
        let mut own: Vec<(&str, &RawValue)> = self
            .own
            .iter()
            .map(|(name, value)| (&**name, *value))
            .collect();
        own.extend(
            self.meta
                .filter(|_| meta_matters)
                .map(|meta| ("meta", meta)),
        );
        own.sort_unstable_by_key(|(name, _)| *name);
        for (name, value) in own {
            let mut text = String::new();
            canonical(value.get(), &mut text);
            member("own", name);
            member("=", &text);
        }
        key.finish()
    }
}

fn syntax(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let what = text.split(" at line ").next().unwrap_or(&text);
    format!("not a JSON object: {what} at column {}", error.column())
}

fn text<'a>(name: &str, value: &'a RawValue) -> Result<Cow<'a, str>, String> {
    let quoted = value.get().starts_with('"');
    quoted
        .then(|| string(value.get()))
        .flatten()
        .ok_or_else(|| format!("`{name}` must be a string"))
}

/// A string's text; a number, `true` or `false` as it is written.
fn scalar(value: &RawValue) -> Option<Cow<'_, str>> {
    match value.get().as_bytes().first()? {
        b'"' => string(value.get()),
        b'{' | b'[' | b'n' => None,
        _ => Some(Cow::Borrowed(value.get())),
    }
}

fn id(value: &RawValue) -> Result<Cow<'_, str>, String> {
    let integer = |text: &str| {
        text.bytes()
            .all(|byte| byte == b'-' || byte.is_ascii_digit())
    };
    if integer(value.get()) {
        return Ok(Cow::Borrowed(value.get()));
    }
    text("id", value).map_err(|_| "`id` must be a string or an integer".to_owned())
}

fn args(value: &RawValue) -> Result<Vec<Cow<'_, str>>, String> {
    let list: Vec<&RawValue> = serde_json::from_str(value.get())
        .map_err(|_| "`args` must be a list of strings".to_owned())?;
    let arg = |(index, value)| {
        scalar(value)
            .ok_or_else(|| format!("`args[{index}]` must be a string, a number or true or false"))
    };
    list.into_iter().enumerate().map(arg).collect()
}

/// `null` takes a variable away.
fn env(value: &RawValue) -> Result<Vec<Variable<'_>>, String> {
    let members: Members<'_> = serde_json::from_str(value.get())
        .map_err(|_| "`env` must be an object of strings".to_owned())?;
    if let Some(name) = members.repeated() {
        return Err(format!("`env.{name}` occurs twice"));
    }
    let mut variables: Vec<(_, _)> = Vec::with_capacity(members.0.len());
    for (name, value) in members.0 {
        if name.is_empty() || name.contains('=') {
            return Err(format!("`env.{name}` is no name for a variable"));
        }
        let text = scalar(value);
        if text.is_none() && value.get() != "null" {
            return Err(format!(
                "`env.{name}` must be a string, a number, true, false or null"
            ));
        }
        variables.push((name.into_owned(), text));
    }
    Ok(variables)
}

fn timeout(value: &RawValue) -> Result<Duration, String> {
    let seconds = || {
        serde_json::from_str(value.get())
            .ok()
            .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
    };
    let duration = match value.get().starts_with('"') {
        true => string(value.get()).and_then(|text| humantime::parse_duration(&text).ok()),
        false => seconds(),
    };
    let positive = duration.filter(|duration| !duration.is_zero());
    positive.ok_or_else(|| {
        "`timeout` must be seconds or a text such as \"5s\", and more than 0".to_owned()
    })
}
