//! What went wrong, in the words of an outcome line, and whether another try may mend it. The table is in the module's docs.

use std::error::Error as _;
use std::io;
use std::time::{Duration, SystemTime};

use http::header::RETRY_AFTER;
use http::{HeaderMap, Method, StatusCode};

use super::config::FetchConfig;
use crate::record::{ErrorKind, Failure};

/// Whether a request may be made twice without harm, whatever came of the first one.
pub(super) fn idempotent(method: &Method) -> bool {
    matches!(
        *method,
        Method::GET | Method::HEAD | Method::PUT | Method::DELETE | Method::OPTIONS | Method::TRACE
    )
}

/// A connection ended where the answer should have begun.
pub(super) fn is_cut(error: &hyper::Error) -> bool {
    error.is_incomplete_message()
        || error.is_canceled()
        || error.is_closed()
        || io_kind(error).is_some_and(is_reset)
}

/// Why there is no answer.
pub(super) fn no_answer(error: &hyper::Error, host: &str) -> Failure {
    match error {
        _ if error.is_user() => match io_source(error) {
            Some(source) => Failure::permanent(
                ErrorKind::Io,
                format!("the request's body could not be read: {source}"),
            ),
            None => Failure::permanent(
                ErrorKind::Protocol,
                format!("the request could not be sent: {error}"),
            ),
        },
        _ if error.is_parse() => protocol(error, "answer"),
        _ if error.is_incomplete_message() || error.is_canceled() || error.is_closed() => {
            Failure::transient(
                ErrorKind::Reset,
                format!("{host} closed the connection before it answered"),
            )
        }
        _ => cut(error, host, "before it answered"),
    }
}

/// Why a body is not whole.
pub(super) fn body(error: hyper::Error) -> Failure {
    match io_kind(&error) {
        _ if error.is_parse() => protocol(&error, "body"),
        Some(io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData)
            if tls_source(&error).is_none() =>
        {
            protocol(&error, "body")
        }
        Some(kind) if is_reset(kind) => Failure::transient(
            ErrorKind::Reset,
            "the connection was reset in the middle of the body",
        ),
        _ => Failure::transient(ErrorKind::Body, "the body ended early"),
    }
}

fn protocol(error: &hyper::Error, part: &str) -> Failure {
    let message = match (error.to_string(), io_source(error)) {
        (text, _) if text.contains("too large") => {
            "the headers of the answer are larger than 64 KiB, or more than 100".to_owned()
        }
        (_, Some(source)) => format!("the {part} is no HTTP: {source}"),
        (text, None) => format!("the {part} is no HTTP: {text}"),
    };
    Failure::permanent(ErrorKind::Protocol, message)
}

fn cut(error: &hyper::Error, host: &str, when: &str) -> Failure {
    match (io_kind(error), tls_source(error)) {
        (_, Some(rustls::Error::AlertReceived(alert))) => Failure::permanent(
            ErrorKind::Tls,
            format!("{host} refused the TLS connection: {alert:?}"),
        ),
        (Some(kind), _) if is_reset(kind) => Failure::transient(
            ErrorKind::Reset,
            format!("connection reset by {host} {when}"),
        ),
        _ => {
            let why = error
                .source()
                .map_or_else(|| error.to_string(), ToString::to_string);
            Failure::transient(
                ErrorKind::Reset,
                format!("the connection to {host} broke {when}: {why}"),
            )
        }
    }
}

fn is_reset(kind: io::ErrorKind) -> bool {
    use io::ErrorKind as Io;
    matches!(
        kind,
        Io::ConnectionReset | Io::ConnectionAborted | Io::BrokenPipe | Io::NotConnected
    )
}

fn io_source(error: &hyper::Error) -> Option<&io::Error> {
    error.source().and_then(|source| source.downcast_ref())
}

fn io_kind(error: &hyper::Error) -> Option<io::ErrorKind> {
    io_source(error).map(io::Error::kind)
}

fn tls_source(error: &hyper::Error) -> Option<&rustls::Error> {
    io_source(error)?.get_ref()?.downcast_ref()
}

/// An answer that is not among the accepted ones.
pub(super) fn status(status: StatusCode, headers: &HeaderMap, config: &FetchConfig) -> Failure {
    let retry = config.retry_status.contains(status.as_u16());
    let message = match status.canonical_reason() {
        Some(reason) => format!("{} {reason}", status.as_u16()),
        None => status.as_str().to_owned(),
    };
    let retry_after = retry_after(headers, SystemTime::now());
    Failure {
        status: Some(status.as_u16()),
        retry_after,
        retry,
        ..Failure::permanent(ErrorKind::Http, message)
    }
}

/// An answer that says that the request was not processed: it may be sent again even if it is not idempotent.
pub(super) fn says_unprocessed(status: StatusCode) -> bool {
    matches!(status.as_u16(), 307 | 308 | 408 | 425 | 429)
}

/// `Retry-After`: seconds, or a date (one that has passed is no wait at all). What is neither is ignored.
fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Some(Duration::from_secs(text.parse().unwrap_or(u64::MAX)));
    }
    let date = httpdate::parse_http_date(text).ok()?;
    Some(date.duration_since(now).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777);
        let read = |text: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(RETRY_AFTER, http::HeaderValue::from_static(text));
            retry_after(&headers, now)
        };
        assert_eq!(read("120"), Some(Duration::from_secs(120)));
        assert_eq!(
            read("99999999999999999999999"),
            Some(Duration::from_secs(u64::MAX))
        );
        assert_eq!(
            read("Sun, 06 Nov 1994 08:49:47 GMT"),
            Some(Duration::from_secs(10))
        );
        assert_eq!(read("Sun, 06 Nov 1994 08:49:07 GMT"), Some(Duration::ZERO));
        assert_eq!(read("-1"), None);
        assert_eq!(read("soon"), None);
        assert_eq!(retry_after(&HeaderMap::new(), now), None);
    }
}
