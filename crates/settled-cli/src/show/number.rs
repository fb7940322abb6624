//! Numbers as people read them.

use std::time::Duration;

/// `1234567` as `1,234,567`.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Something a second: `0.25`, `18`, `51,234`.
pub(crate) fn rate(per_second: f64) -> String {
    if per_second >= 10.0 || per_second == 0.0 {
        grouped(per_second.round() as u64)
    } else {
        format!("{per_second:.2}")
    }
}

/// Milliseconds: `0.42 ms`, `41 ms`, `1.23 s`, `3m 12s`.
pub(crate) fn millis(ms: f64) -> String {
    match ms {
        ms if ms < 10.0 => format!("{ms:.2} ms"),
        ms if ms < 1000.0 => format!("{ms:.0} ms"),
        ms if ms < 100_000.0 => format!("{:.2} s", ms / 1000.0),
        ms => span(Duration::from_secs_f64(ms / 1000.0)),
    }
}

/// A length of time: `4.1 s`, `3m 12s`, `2h 05m`, `3d 04h`.
pub(crate) fn span(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        0..100 => format!("{:.1} s", time.as_secs_f64()),
        100..3_600 => format!("{}m {:02}s", seconds / 60, seconds % 60),
        3_600..86_400 => format!("{}h {:02}m", seconds / 3_600, seconds / 60 % 60),
        _ => format!("{}d {:02}h", seconds / 86_400, seconds / 3_600 % 24),
    }
}

/// Time to go, without false precision: `8 s`, `3m 12s`.
pub(crate) fn eta(time: Duration) -> String {
    if time.as_secs() < 100 {
        format!("{} s", time.as_secs().max(1))
    } else {
        span(time)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_well() {
        assert_eq!(
            [0, 999, 1_000, 1_234_567].map(grouped),
            ["0", "999", "1,000", "1,234,567"]
        );
        assert_eq!(
            [0.0, 0.254, 9.99, 18.4, 51_234.0].map(rate),
            ["0", "0.25", "9.99", "18", "51,234"]
        );
        assert_eq!(
            [0.417, 41.4, 1_234.0, 192_000.0].map(millis),
            ["0.42 ms", "41 ms", "1.23 s", "3m 12s"]
        );
        assert_eq!(span(Duration::from_secs(7_500)), "2h 05m");
        assert_eq!(span(Duration::from_secs(273_600)), "3d 04h");
    }
}
