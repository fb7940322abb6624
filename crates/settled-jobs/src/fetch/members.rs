//! The members of a JSON line, as they stand there: an error can name the member, and a value can be passed on as it is.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserializer, Error as _, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::record::{ErrorKind, Failure};

/// The members of one JSON object, in order.
#[derive(Debug)]
pub(super) struct Members<'a>(pub(super) Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'de> serde::Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Object)
    }
}

struct Object;

impl<'de> Visitor<'de> for Object {
    type Value = Members<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members: Vec<(Cow<'de, str>, &'de RawValue)> =
            Vec::with_capacity(map.size_hint().unwrap_or(8));
        while let Some((Name(name), value)) = map.next_entry()? {
            if members.iter().any(|(other, _)| *other == name) {
                return Err(A::Error::custom(format_args!(
                    "member {name:?} stands there twice"
                )));
            }
            members.push((name, value));
        }
        Ok(Members(members))
    }
}

/// A member's name, borrowed where it has no escapes.
struct Name<'a>(Cow<'a, str>);

impl<'de> serde::Deserialize<'de> for Name<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl<'de> Visitor<'de> for Text {
            type Value = Name<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a member's name")
            }
            fn visit_borrowed_str<E>(self, name: &'de str) -> Result<Self::Value, E> {
                Ok(Name(Cow::Borrowed(name)))
            }
            fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
                Ok(Name(Cow::Owned(name.to_owned())))
            }
        }
        deserializer.deserialize_str(Text)
    }
}

impl<'a> Members<'a> {
    pub(super) fn of(json: &'a [u8]) -> Result<Self, Failure> {
        serde_json::from_slice(json).map_err(|error| bad(format!("no JSON object: {error}")))
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

/// A JSON value without the white space that means nothing: equal content, equal bytes, and no number loses a digit.
pub(super) fn compact(raw: &RawValue) -> Cow<'_, [u8]> {
    let json = raw.get().as_bytes();
    if !json.iter().any(u8::is_ascii_whitespace) {
        return Cow::Borrowed(json);
    }
    let (mut inside, mut escaped) = (false, false);
    let kept = json.iter().copied().filter(|byte| {
        if escaped {
            escaped = false;
        } else if *byte == b'"' {
            inside = !inside;
        } else {
            escaped = inside && *byte == b'\\';
        }
        inside || !byte.is_ascii_whitespace()
    });
    Cow::Owned(kept.collect())
}
