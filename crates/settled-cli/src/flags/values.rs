//! How values are written on the command line: times, sizes, rates, limits.

use std::time::Duration;

use settled_jobs::{Fsync, Halt, HaltLimit};

/// A time: `5s`, `200ms`, `1m30s`, or seconds as a number (`0.5`).
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let found = match text.trim().parse::<f64>() {
        Ok(seconds) => Duration::try_from_secs_f64(seconds).ok(),
        Err(_) => humantime::parse_duration(text).ok(),
    };
    match found {
        Some(Duration::ZERO) => Err("the time has to be more than zero".into()),
        Some(found) => Ok(found),
        None => Err("no time; write it like 5s, 200ms, 1m30s or 0.5 (seconds)".into()),
    }
}

/// A time, or `none` for no limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TimeLimit(pub(crate) Option<Duration>);

pub(crate) fn time_limit(text: &str) -> Result<TimeLimit, String> {
    match text {
        "none" => Ok(TimeLimit(None)),
        _ => duration(text)
            .map(|limit| TimeLimit(Some(limit)))
            .map_err(|why| format!("{why}, or none")),
    }
}

/// A time that may be zero.
pub(crate) fn grace(text: &str) -> Result<Duration, String> {
    if matches!(text, "0" | "0s") {
        Ok(Duration::ZERO)
    } else {
        duration(text)
    }
}

/// `MIN..MAX`, two times.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BackoffRange {
    pub(crate) min: Duration,
    pub(crate) max: Duration,
}

pub(crate) fn backoff(text: &str) -> Result<BackoffRange, String> {
    let (min, max) = text.split_once("..").ok_or("write it like 200ms..30s")?;
    let (min, max) = (grace(min)?, grace(max)?);
    if min > max {
        return Err("the first time is longer than the last one".into());
    }
    Ok(BackoffRange { min, max })
}

/// A number of bytes: `1048576`, `64k`, `1MiB`, `8M`; a unit counts in steps of 1024.
pub(crate) fn bytes(text: &str) -> Result<u64, String> {
    let text = text.trim();
    let digits = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let unit: u64 = match text[digits..].trim().to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "k" | "kb" | "kib" => 1 << 10,
        "m" | "mb" | "mib" => 1 << 20,
        "g" | "gb" | "gib" => 1 << 30,
        _ => return Err("no size; write it like 1048576, 64k, 8MiB or 1G".into()),
    };
    let number = text[..digits]
        .parse::<u64>()
        .ok()
        .and_then(|number| number.checked_mul(unit));
    number.ok_or_else(|| "no size; write it like 1048576, 64k, 8MiB or 1G".into())
}

/// How many in which time: `200/s`, `100/min`, `5/h`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Rate {
    pub(crate) count: f64,
    pub(crate) per: Duration,
}

pub(crate) fn rate(text: &str) -> Result<Rate, String> {
    let wrong = || "no rate; write it like 200/s, 100/min or 5/h".to_owned();
    let (count, unit) = text.split_once('/').ok_or_else(wrong)?;
    let seconds = match unit.trim() {
        "s" | "sec" | "second" => 1,
        "m" | "min" | "minute" => 60,
        "h" | "hour" => 3600,
        _ => return Err(wrong()),
    };
    let count = count
        .trim()
        .parse::<f64>()
        .ok()
        .filter(|count| count.is_finite() && *count > 0.0);
    Ok(Rate {
        count: count.ok_or_else(wrong)?,
        per: Duration::from_secs(seconds),
    })
}

/// Retries as a share of first tries, and a number a second: `20%+10/s`, `20%` (and one a second, so that no retry waits for
/// ever), or `off`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Budget(pub(crate) Option<(f64, f64)>);

pub(crate) fn budget(text: &str) -> Result<Budget, String> {
    let wrong = || "no budget; write it like 20%+10/s, 20% or off".to_owned();
    if text == "off" {
        return Ok(Budget(None));
    }
    let (share, per_second) = text
        .split_once('+')
        .map_or((text, None), |(share, rate)| (share, Some(rate)));
    let share = share
        .trim()
        .strip_suffix('%')
        .and_then(|share| share.trim().parse::<f64>().ok());
    let share = share
        .filter(|share| (0.0..=1000.0).contains(share))
        .ok_or_else(wrong)?;
    let per_second = match per_second {
        Some(text) => rate(text)
            .map(|rate| rate.count / rate.per.as_secs_f64())
            .map_err(|_| wrong())?,
        None => 1.0,
    };
    Ok(Budget(Some((share / 100.0, per_second))))
}

/// `soon,fail=3` or `now,fail=10%`.
pub(crate) fn halt(text: &str) -> Result<Halt, String> {
    let wrong = || "write it like soon,fail=3 or now,fail=10%".to_owned();
    let (when, limit) = text.split_once(',').ok_or_else(wrong)?;
    let now = match when.trim() {
        "now" => true,
        "soon" => false,
        _ => return Err(wrong()),
    };
    let limit = limit.trim().strip_prefix("fail=").ok_or_else(wrong)?;
    let limit = match limit.strip_suffix('%') {
        Some(percent) => {
            let percent = percent
                .parse::<f64>()
                .ok()
                .filter(|percent| *percent > 0.0 && *percent <= 100.0);
            HaltLimit::Percent(percent.ok_or_else(wrong)?)
        }
        None => HaltLimit::Jobs(
            limit
                .parse::<u64>()
                .ok()
                .filter(|jobs| *jobs > 0)
                .ok_or_else(wrong)?,
        ),
    };
    Ok(Halt { now, limit })
}

pub(crate) fn fsync(text: &str) -> Result<Fsync, String> {
    match text {
        "always" => Ok(Fsync::Always),
        "interval" => Ok(Fsync::Interval),
        "never" => Ok(Fsync::Never),
        _ => Err("one of always, interval, never".into()),
    }
}

/// At least 1.
pub(crate) fn count(text: &str) -> Result<usize, String> {
    match text.parse::<usize>() {
        Ok(0) | Err(_) => Err("a whole number of at least 1".into()),
        Ok(count) if count > 100_000 => Err("at most 100000".into()),
        Ok(count) => Ok(count),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_read_as_people_write_them() {
        assert_eq!(duration("5s"), Ok(Duration::from_secs(5)));
        assert_eq!(duration("1m30s"), Ok(Duration::from_secs(90)));
        assert_eq!(duration("0.5"), Ok(Duration::from_millis(500)));
        assert_eq!(time_limit("none"), Ok(TimeLimit(None)));
        assert_eq!(bytes("64k"), Ok(65_536));
        assert_eq!(bytes("1 MiB"), Ok(1 << 20));
        assert_eq!(
            rate("120/min"),
            Ok(Rate {
                count: 120.0,
                per: Duration::from_secs(60)
            })
        );
        assert_eq!(budget("20%+10/s"), Ok(Budget(Some((0.2, 10.0)))));
        assert_eq!(budget("off"), Ok(Budget(None)));
        assert_eq!(
            halt("now,fail=10%"),
            Ok(Halt {
                now: true,
                limit: HaltLimit::Percent(10.0)
            })
        );
        assert_eq!(
            halt("soon,fail=3"),
            Ok(Halt {
                now: false,
                limit: HaltLimit::Jobs(3)
            })
        );
    }

    #[test]
    fn wrong_values_are_refused() {
        for text in ["", "0", "-1", "5 parsecs", "nan", "inf", "1e300"] {
            assert!(duration(text).is_err(), "{text}");
        }
        for text in ["", "5", "5/", "/s", "0/s", "-3/s", "nan/s", "5/week"] {
            assert!(rate(text).is_err(), "{text}");
        }
        for text in ["", "20", "20%+", "x%", "-5%"] {
            assert!(budget(text).is_err(), "{text}");
        }
        for text in [
            "",
            "now",
            "now,fail=0",
            "later,fail=1",
            "now,fail=0%",
            "now,fail=101%",
        ] {
            assert!(halt(text).is_err(), "{text}");
        }
        for text in ["", "x", "1.5k", "99999999999G", "-1"] {
            assert!(bytes(text).is_err(), "{text}");
        }
        for text in ["30s..200ms", "200ms", ".."] {
            assert!(backoff(text).is_err(), "{text}");
        }
    }
}
