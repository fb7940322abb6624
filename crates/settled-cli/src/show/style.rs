//! Colours on standard error: where it is a terminal that can show them, or where they are asked for.

use std::io::IsTerminal;
use std::sync::OnceLock;

use crate::flags::When;

static COLOURS: OnceLock<bool> = OnceLock::new();

/// Decides once, by the flag and then by `NO_COLOR`, `CLICOLOR_FORCE` and the terminal.
pub(crate) fn set(when: When) {
    let value = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    let colours = match when {
        When::Always => true,
        When::Never => false,
        When::Auto if value("NO_COLOR").is_some() => false,
        When::Auto if value("CLICOLOR_FORCE").is_some_and(|value| value != "0") => true,
        When::Auto => is_live_terminal(),
    };
    let _ = COLOURS.set(colours);
}

/// Standard error is a terminal that understands more than plain lines.
pub(crate) fn is_live_terminal() -> bool {
    std::io::stderr().is_terminal()
        && std::env::var_os("TERM").is_some_and(|term| !term.is_empty() && term != "dumb")
}

fn paint(code: &str, text: &str) -> String {
    if COLOURS.get().copied().unwrap_or(false) {
        format!("\x1b[{code}m{text}\x1b[0m")
    } else {
        text.to_owned()
    }
}

pub(crate) fn good(text: &str) -> String {
    paint("32", text)
}

pub(crate) fn bad(text: &str) -> String {
    paint("31", text)
}

pub(crate) fn heading(text: &str) -> String {
    paint("1", text)
}

pub(crate) fn faint(text: &str) -> String {
    paint("2", text)
}
