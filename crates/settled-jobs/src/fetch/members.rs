//! The members of a JSON line, and what is said of wrong ones.

use std::borrow::Cow;

use serde_json::value::RawValue;

use crate::json::members::Members;
use crate::record::{ErrorKind, Failure};

/// The members of the object `json`.
pub(super) fn members(json: &[u8]) -> Result<Members<'_>, Failure> {
    let members =
        serde_json::from_slice(json).map_err(|error| bad(format!("no JSON object: {error}")))?;
    unrepeated(members)
}

/// The members of an object that is the value of member `name`.
pub(super) fn object<'a>(
    name: &str,
    raw: &'a RawValue,
    what: &str,
) -> Result<Members<'a>, Failure> {
    unrepeated(value(name, raw, what)?)
}

fn unrepeated(members: Members<'_>) -> Result<Members<'_>, Failure> {
    match members.repeated() {
        Some(name) => Err(bad(format!("member {name:?} stands there twice"))),
        None => Ok(members),
    }
}

/// A permanent failure of kind `input`.
pub(super) fn bad(message: impl Into<Cow<'static, str>>) -> Failure {
    Failure::permanent(ErrorKind::Input, message)
}

/// The value of member `name` as a `T`; `what` says what it has to be.
pub(super) fn value<'a, T: serde::Deserialize<'a>>(
    name: &str,
    raw: &'a RawValue,
    what: &str,
) -> Result<T, Failure> {
    serde_json::from_str(raw.get()).map_err(|_| bad(format!("{name:?} has to be {what}")))
}
