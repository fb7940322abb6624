//! An [`Answer`] made ready for the wire: its bytes, and what happens at which of them. Pure.

use std::time::Duration;

use crate::answer::{Act, Answer, At, Body};

/// How much of a generated body is made at a time, in bytes.
const UNIT: u64 = 16 * 1024;

/// What is asked of the answer by the request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked {
    /// The method is HEAD.
    pub(crate) head: bool,
    /// The connection is not to be kept alive.
    pub(crate) close: bool,
}

/// The bytes of an answer are `start`, then `unit` over and over for `repeated` bytes, then `tail`. All offsets count from the
/// first byte.
#[derive(Debug)]
pub(crate) struct Script {
    start: Vec<u8>,
    unit: Vec<u8>,
    repeated: u64,
    tail: Vec<u8>,
    /// Where the head ends, and which status it told. `None`: there is no head.
    pub(crate) head: Option<(u64, u16)>,
    /// What happens where, in order.
    pub(crate) acts: Vec<(u64, Act)>,
    /// From where on it goes byte by byte.
    pub(crate) drip: Option<(u64, Duration)>,
    /// All that was announced is there.
    pub(crate) honest: bool,
    /// The end of the connection is the end of the body.
    pub(crate) until_close: bool,
    /// The connection can take another request afterwards.
    pub(crate) keep: bool,
}

impl Script {
    pub(crate) fn of(answer: &Answer, asked: Asked) -> Self {
        let bodiless = asked.head || matches!(answer.status, 100..200 | 204 | 304);
        let announced = answer
            .announced
            .or_else(|| given(answer, "content-length")?.parse().ok());
        let mut script = Self {
            start: answer.hints.clone(),
            unit: Vec::new(),
            repeated: 0,
            tail: Vec::new(),
            head: None,
            acts: Vec::new(),
            drip: None,
            honest: true,
            until_close: !bodiless && matches!(answer.body, Body::UntilClose(_)),
            keep: !asked.close
                && !given(answer, "connection")
                    .is_some_and(|value| value.eq_ignore_ascii_case("close")),
        };
        if !matches!(answer.body, Body::Raw(_)) {
            script.put_head(answer, asked, bodiless);
        }
        let head_end = script.start.len() as u64;
        if !bodiless || matches!(answer.body, Body::Raw(_)) {
            script.put_body(&answer.body);
            let sent = script.total() - head_end;
            script.honest =
                chunked(&answer.body) || announced.is_none_or(|announced| announced <= sent);
            script.keep &=
                script.honest && !script.until_close && !matches!(answer.body, Body::Raw(_));
        }
        let total = script.total();
        let place = |at| match at {
            At::Start => 0,
            At::Head if script.head.is_none() => total / 2,
            At::Head => (answer.hints.len() as u64).midpoint(head_end),
            At::Body(content) => (head_end + on_wire(&answer.body, content)).min(total),
            At::End => total,
        };
        script.acts = answer
            .acts
            .iter()
            .map(|(at, act)| (place(*at), act.clone()))
            .collect();
        script.drip = answer.drip.map(|(at, every)| (place(at), every));
        // Stable: what was asked for first at a place happens first.
        script.acts.sort_by_key(|act| act.0);
        script
    }

    /// How many bytes there are.
    pub(crate) fn total(&self) -> u64 {
        self.start.len() as u64 + self.repeated + self.tail.len() as u64
    }

    /// Some of the bytes from `from` (less than the total) on: as many as lie in one piece.
    pub(crate) fn bytes_from(&self, from: u64) -> &[u8] {
        let start = self.start.len() as u64;
        if from < start {
            return &self.start[index(from)..];
        }
        let from = from - start;
        if from >= self.repeated {
            return &self.tail[index(from - self.repeated)..];
        }
        let in_unit = from % self.unit.len() as u64;
        let end = (self.unit.len() as u64).min(in_unit.saturating_add(self.repeated - from));
        &self.unit[index(in_unit)..index(end)]
    }

    fn put_head(&mut self, answer: &Answer, asked: Asked, bodiless: bool) {
        let Answer {
            status,
            headers,
            body,
            ..
        } = answer;
        let mut head = format!("HTTP/1.1 {status} {}\r\n", reason(*status)).into_bytes();
        for (name, value) in headers {
            put_header(&mut head, name, value);
        }
        let length = match body {
            Body::Fixed(bytes)
                if !bodiless || (asked.head && !matches!(status, 100..200 | 204 | 304)) =>
            {
                Some(bytes.len() as u64)
            }
            Body::Fill {
                bytes,
                chunked: false,
            } => Some(*bytes),
            _ => None,
        };
        let told = given(answer, "content-length").is_some()
            || given(answer, "transfer-encoding").is_some();
        if let Some(length) = answer.announced.or(length.filter(|_| !told)) {
            put_header(&mut head, "content-length", length.to_string().as_bytes());
        }
        if chunked(body) && !told && !matches!(status, 100..200 | 204 | 304) {
            put_header(&mut head, "transfer-encoding", b"chunked");
        }
        let closes = asked.close || (!bodiless && matches!(body, Body::UntilClose(_)));
        if closes && given(answer, "connection").is_none() {
            put_header(&mut head, "connection", b"close");
        }
        head.extend_from_slice(b"\r\n");
        self.start.extend_from_slice(&head);
        self.head = Some((self.start.len() as u64, *status));
    }

    fn put_body(&mut self, body: &Body) {
        match body {
            Body::Fixed(bytes) | Body::UntilClose(bytes) | Body::Raw(bytes) => {
                self.start.extend_from_slice(bytes)
            }
            Body::Chunked(chunks) => {
                for chunk in chunks {
                    put_chunk(&mut self.start, chunk);
                }
                self.start.extend_from_slice(b"0\r\n\r\n");
            }
            Body::Fill {
                bytes,
                chunked: false,
            } => {
                self.unit = vec![b'0'; index(UNIT)];
                self.repeated = *bytes;
            }
            Body::Fill {
                bytes,
                chunked: true,
            } => {
                put_chunk(&mut self.unit, &vec![b'0'; index(UNIT)]);
                self.repeated = bytes / UNIT * self.unit.len() as u64;
                self.tail.extend_from_slice(b"0\r\n\r\n");
            }
        }
    }
}

/// Where the body's content has `content` bytes, counted in bytes of the body on the wire.
fn on_wire(body: &Body, mut content: u64) -> u64 {
    let mut wire = 0;
    match body {
        Body::Fixed(_) | Body::UntilClose(_) | Body::Raw(_) | Body::Fill { chunked: false, .. } => {
            content
        }
        Body::Fill { chunked: true, .. } => {
            let line = size_line(UNIT).len() as u64;
            let inside = content % UNIT;
            (content / UNIT)
                .saturating_mul(line + UNIT + 2)
                .saturating_add(if inside == 0 { 0 } else { line + inside })
        }
        Body::Chunked(chunks) => {
            for chunk in chunks {
                let (line, length) = (
                    size_line(chunk.len() as u64).len() as u64,
                    chunk.len() as u64,
                );
                match content {
                    0 => return wire,
                    _ if content < length => return wire + line + content,
                    _ => content -= length,
                }
                wire += line + length + 2;
            }
            wire
        }
    }
}

fn put_header(out: &mut Vec<u8>, name: &str, value: &[u8]) {
    for part in [name.as_bytes(), b": ", value, b"\r\n"] {
        out.extend_from_slice(part);
    }
}

fn put_chunk(out: &mut Vec<u8>, chunk: &[u8]) {
    for part in [size_line(chunk.len() as u64).as_bytes(), chunk, b"\r\n"] {
        out.extend_from_slice(part);
    }
}

fn size_line(bytes: u64) -> String {
    format!("{bytes:x}\r\n")
}

fn chunked(body: &Body) -> bool {
    matches!(body, Body::Chunked(_) | Body::Fill { chunked: true, .. })
}

/// A header that the test gave, if it is text.
fn given<'a>(answer: &'a Answer, name: &str) -> Option<&'a str> {
    let (_, value) = answer
        .headers
        .iter()
        .find(|header| header.0.eq_ignore_ascii_case(name))?;
    std::str::from_utf8(value).ok()
}

/// An offset inside a buffer that is in memory: it fits.
#[expect(
    clippy::cast_possible_truncation,
    reason = "the offset is less than the length of a slice"
)]
fn index(offset: u64) -> usize {
    offset as usize
}

fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        204 => "No Content",
        301 => "Moved Permanently",
        302 => "Found",
        304 => "Not Modified",
        307 => "Temporary Redirect",
        308 => "Permanent Redirect",
        400 => "Bad Request",
        404 => "Not Found",
        429 => "Too Many Requests",
        500 => "Internal Server Error",
        503 => "Service Unavailable",
        _ => "Answer",
    }
}

#[cfg(test)]
mod tests {
    use super::{Asked, Script};
    use crate::answer::{Answer, At};

    const GET: Asked = Asked {
        head: false,
        close: false,
    };

    fn wire(script: &Script, up_to: u64) -> String {
        let mut out = Vec::new();
        while (out.len() as u64) < up_to {
            out.extend_from_slice(script.bytes_from(out.len() as u64));
        }
        out.truncate(usize::try_from(up_to).unwrap());
        String::from_utf8(out).unwrap()
    }

    fn body_at(answer: Answer, at: At) -> String {
        let script = Script::of(&answer.reset(at), GET);
        let head = usize::try_from(script.head.unwrap().0).unwrap();
        wire(&script, script.acts[0].0)[head..].to_owned()
    }

    #[test]
    fn a_place_in_a_chunked_body_counts_content() {
        let answer = || Answer::status(200).chunked(["hello", "you"]);
        assert_eq!(body_at(answer(), At::Body(0)), "");
        assert_eq!(body_at(answer(), At::Body(2)), "5\r\nhe");
        assert_eq!(body_at(answer(), At::Body(5)), "5\r\nhello\r\n");
        assert_eq!(body_at(answer(), At::Body(6)), "5\r\nhello\r\n3\r\ny");
        assert_eq!(
            body_at(answer(), At::Body(99)),
            "5\r\nhello\r\n3\r\nyou\r\n"
        );
        assert_eq!(
            body_at(answer(), At::End),
            "5\r\nhello\r\n3\r\nyou\r\n0\r\n\r\n"
        );
    }

    #[test]
    fn a_generated_body_has_the_length_that_it_announces() {
        let script = Script::of(&Answer::fill(40_000), GET);
        let all = wire(&script, script.total());
        let (head, body) = all.split_once("\r\n\r\n").unwrap();
        assert!(head.ends_with("content-length: 40000"), "{head}");
        assert_eq!(body.len(), 40_000);
        assert!(script.honest && script.keep);
    }

    #[test]
    fn an_endless_body_is_whole_chunks() {
        let script = Script::of(&Answer::endless(), GET);
        let head = script.head.unwrap().0;
        let body = wire(&script, head + 2 * 16_392).split_off(usize::try_from(head).unwrap());
        let chunk = format!("4000\r\n{}\r\n", "0".repeat(16_384));
        assert_eq!(body, format!("{chunk}{chunk}"));
    }
}
