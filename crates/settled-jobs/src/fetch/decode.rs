//! A line of the list becomes a request.

use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, Method};
use serde_json::Value;
use serde_json::value::RawValue;
use url::Url;

use super::config::header;
use super::members::{bad, members, object, value};
use super::spec::{FetchSpec, Own, Payload};
use super::target::{self, Target};
use crate::job::{Id, Input, Job, Key, KeyHasher, Line};
use crate::json::members::Members;
use crate::json::text::compact;
use crate::record::{ErrorKind, Failure};

/// What decoding needs to know of the run.
#[derive(Debug)]
pub(super) struct Decoder {
    pub(super) base: Option<Url>,
    /// Jobs may name files of this machine.
    pub(super) files: bool,
}

impl Decoder {
    pub(super) fn decode(&self, line: Line<'_>) -> Result<Job<FetchSpec>, Failure> {
        if line.json {
            self.object(line)
        } else {
            self.plain(line)
        }
    }

    fn plain(&self, line: Line<'_>) -> Result<Job<FetchSpec>, Failure> {
        let text = std::str::from_utf8(line.bytes)
            .map_err(|_| Failure::permanent(ErrorKind::Url, "the URL is no UTF-8"))?;
        let target = Target::parse(text, self.base.as_ref())?;
        let input = match &target.auth {
            None => Input::Text(text.into()),
            Some(_) => Input::Text(
                target::redacted(text)
                    .unwrap_or_else(|| target.shown())
                    .into(),
            ),
        };
        Ok(job(
            line.seq,
            Id::Line,
            Key::of(line.bytes),
            input,
            FetchSpec::new(target),
        ))
    }

    fn object(&self, line: Line<'_>) -> Result<Job<FetchSpec>, Failure> {
        let members = members(line.bytes)?;
        let mut read = Read::default();
        for (name, raw) in &members.0 {
            read.member(name, raw)?;
        }
        if matches!(read.own.body, Some(Payload::File(_))) && !self.files {
            return Err(bad(
                "\"body_file\" is not possible for a list that is not trusted (deny_private)",
            ));
        }
        let text = read.url.ok_or_else(|| bad("there is no \"url\""))?;
        let target = if read.query.is_empty() {
            Target::parse(&text, self.base.as_ref())?
        } else {
            let mut url = target::parse(&text, self.base.as_ref())?;
            url.query_pairs_mut().extend_pairs(read.query);
            Target::from_url(url)?
        };
        let input = Input::Text(target.shown().into());
        let spec = FetchSpec {
            target,
            own: Some(Box::new(read.own)),
        };
        let job = job(
            line.seq,
            read.id.unwrap_or(Id::Line),
            key(&members),
            input,
            spec,
        );
        Ok(Job {
            timeout: read.timeout,
            meta: read.meta,
            ..job
        })
    }
}

pub(super) fn job(seq: u64, id: Id, key: Key, input: Input, spec: FetchSpec) -> Job<FetchSpec> {
    Job {
        seq,
        id,
        key,
        input,
        timeout: None,
        meta: None,
        spec,
    }
}

/// What the job asks for: every member but its id and `meta`, in whatever order they stand.
fn key(members: &Members<'_>) -> Key {
    let mut asked: Vec<_> = members
        .0
        .iter()
        .filter(|(name, _)| !matches!(&**name, "id" | "custom_id" | "meta"))
        .collect();
    asked.sort_by(|a, b| a.0.cmp(&b.0));
    let mut key = KeyHasher::new();
    for (name, raw) in asked {
        key.part(name.as_bytes());
        key.part(compact(raw.get()).as_bytes());
    }
    key.finish()
}

/// The members read so far.
#[derive(Default)]
struct Read {
    id: Option<Id>,
    url: Option<String>,
    query: Vec<(String, String)>,
    timeout: Option<Duration>,
    meta: Option<Box<RawValue>>,
    own: Own,
}

impl Read {
    fn member(&mut self, name: &str, raw: &RawValue) -> Result<(), Failure> {
        match name {
            "id" | "custom_id" => self.identity(name, raw)?,
            "url" => self.url = Some(value(name, raw, "a string")?),
            "method" => self.own.method = Some(method(&value::<String>(name, raw, "a string")?)?),
            "headers" => headers(&mut self.own.headers, raw)?,
            "query" => self.query = query(raw)?,
            "timeout" => self.timeout = Some(timeout(raw)?),
            "meta" => self.meta = Some(raw.to_owned()),
            "body" | "json" | "body_file" => self.body(name, raw)?,
            _ => return Err(bad(format!("unknown member {name:?}"))),
        }
        Ok(())
    }

    fn identity(&mut self, name: &str, raw: &RawValue) -> Result<(), Failure> {
        let id = match value(name, raw, "a string or an integer")? {
            Value::String(id) if !id.is_empty() => id,
            Value::Number(id) if !id.is_f64() => id.to_string(),
            _ => {
                return Err(bad(format!(
                    "{name:?} has to be a string (not an empty one) or an integer"
                )));
            }
        };
        match self.id.replace(Id::Own(id.into())) {
            None => Ok(()),
            Some(_) => Err(bad("\"id\" and \"custom_id\" exclude each other")),
        }
    }

    fn body(&mut self, name: &str, raw: &RawValue) -> Result<(), Failure> {
        let text = raw.get();
        let body = match (name, text.as_bytes()[0]) {
            ("body_file", _) => {
                Payload::File(PathBuf::from(value::<String>(name, raw, "a string")?))
            }
            ("body", b'n') => return Ok(()),
            ("body", b'"') => Payload::Bytes(value::<String>(name, raw, "a string")?.into()),
            _ => {
                let json = HeaderValue::from_static("application/json");
                self.own.headers.entry(CONTENT_TYPE).or_insert(json);
                Payload::Bytes(Bytes::copy_from_slice(text.as_bytes()))
            }
        };
        match self.own.body.replace(body) {
            None => Ok(()),
            Some(_) => Err(bad(
                "\"body\", \"json\" and \"body_file\" exclude each other",
            )),
        }
    }
}

/// A method's name, in capitals as servers want it.
fn method(name: &str) -> Result<Method, Failure> {
    match Method::from_bytes(name.to_ascii_uppercase().as_bytes()) {
        Ok(Method::CONNECT) | Err(_) => Err(bad(format!("\"method\" can't be {name:?}"))),
        Ok(method) => Ok(method),
    }
}

fn headers(own: &mut HeaderMap, raw: &RawValue) -> Result<(), Failure> {
    const WHAT: &str = "an object of strings";
    let members = object("headers", raw, WHAT)?;
    for (name, raw) in &members.0 {
        let values: Vec<String> = match value(name, raw, "a string or a list of strings")? {
            Value::String(one) => vec![one],
            Value::Array(_) => value(name, raw, "a string or a list of strings")?,
            _ => {
                return Err(bad(format!(
                    "header {name:?} has to be a string or a list of strings"
                )));
            }
        };
        for (nth, text) in values.iter().enumerate() {
            let (name, value) = header(name, text, false).map_err(bad)?;
            if nth == 0 {
                own.insert(name, value);
            } else {
                own.append(name, value);
            }
        }
    }
    Ok(())
}

fn query(raw: &RawValue) -> Result<Vec<(String, String)>, Failure> {
    let members = object("query", raw, "an object")?;
    let mut pairs = Vec::with_capacity(members.0.len());
    for (name, raw) in &members.0 {
        let values = match value(name, raw, "a value")? {
            Value::Array(values) => values,
            one => vec![one],
        };
        for value in values {
            let text = match value {
                Value::String(text) => text,
                Value::Number(number) => number.to_string(),
                Value::Bool(flag) => flag.to_string(),
                _ => {
                    return Err(bad(format!(
                        "\"query\": {name:?} has to be a string, number, boolean, or a list of them"
                    )));
                }
            };
            pairs.push((name.clone().into_owned(), text));
        }
    }
    Ok(pairs)
}

/// Seconds as a number, or a duration as a person writes it (`5s`, `1m 30s`).
fn timeout(raw: &RawValue) -> Result<Duration, Failure> {
    let timeout = match value("timeout", raw, "seconds or a duration")? {
        Value::Number(seconds) => seconds
            .as_f64()
            .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()),
        Value::String(text) => humantime::parse_duration(&text).ok(),
        _ => None,
    };
    let timeout = timeout.filter(|timeout| !timeout.is_zero());
    timeout.ok_or_else(|| bad("\"timeout\" has to be a number of seconds or a duration like \"5s\", and more than zero"))
}
