//! What is said of a stream of pages: where it stands, why it ended, how to go on.

use std::time::Duration;

use serde_json::{Value, json};
use settled_jobs::pages::{Cause, End, PagesError, PagesProgress};

use crate::flags::pages::PagesArgs;
use crate::show::number::{grouped, rate, span};

/// What is out by now.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Written {
    pub(crate) pages: u64,
    pub(crate) items: u64,
}

pub(crate) fn progress(written: Written, done: PagesProgress, per_second: f64) -> String {
    let mut line = format!(
        "{}, {} · {} items/s",
        count(written.pages, "page"),
        count(written.items, "item"),
        rate(per_second)
    );
    if done.retries > 0 {
        line.push_str(&format!(" · {}", retries(done.retries)));
    }
    line
}

pub(crate) fn progress_json(written: Written, done: PagesProgress, per_second: f64) -> Value {
    json!({
        "progress": {
            "pages": written.pages,
            "items": written.items,
            "requests": done.requests,
            "retries": done.retries,
            "per_second": (per_second * 100.0).round() / 100.0,
        }
    })
}

pub(crate) fn summary(written: Written, done: PagesProgress, took: Duration) -> String {
    let per_second = written.items as f64 / took.as_secs_f64().max(1e-9);
    format!(
        "{}, {} in {} ({} items/s); {}, {}",
        count(written.pages, "page"),
        count(written.items, "item"),
        span(took),
        rate(per_second),
        count(done.requests, "request"),
        retries(done.retries)
    )
}

/// What a person should know of an end that is not simply the end.
pub(crate) fn end(end: &End, next: Option<&str>, args: &PagesArgs) -> Option<String> {
    match end {
        End::NoMore | End::Empty | End::NoNext => None,
        End::OnlyPage => Some(
            "the first page has no header `Link: <..>; rel=next`, so that it was taken for all; --cursor, --page-param or --more \
             say how to go on"
                .to_owned(),
        ),
        End::CursorAbsent(there) => Some(format!(
            "the first page has nothing at --cursor {}, so that it was taken for all; there is: {there}",
            args.cursor.clone().unwrap_or_default()
        )),
        End::MaxPages => Some(format!("stopped by --max-pages{}", go_on(next, args))),
    }
}

/// Why there is no further page, and what may help.
pub(crate) fn error(error: &PagesError, written: Written, args: &PagesArgs) -> String {
    let mut text = error.to_string();
    let advice = match &error.cause {
        Cause::Items(_) => "--items says where the array of items is, as a JSON pointer: /data",
        Cause::More(_) => "--more says where in a page it is said whether there is more",
        Cause::Cursor(_) => "--cursor says where in a page the next one is",
        Cause::Repeats => "--page-param says which query parameter the page number is",
        _ => "",
    };
    if !advice.is_empty() {
        text.push_str(&format!("\n{advice}"));
    }
    if written.pages > 0 {
        text.push_str(&format!(
            "\n{} ({}) were written and stay{}",
            count(written.pages, "page"),
            count(written.items, "item"),
            go_on(error.resume(), args)
        ));
    }
    text
}

/// What a signal did; `torn`: in the middle of a page.
pub(crate) fn interrupted(signal: &str, written: Written, torn: bool) -> String {
    let mut text = match written.pages {
        0 => format!("{signal}: stopped before a page was written"),
        pages => format!("{signal}: stopped after page {pages}"),
    };
    if torn {
        let page = written.pages + 1;
        text.push_str(&format!(
            ", in the middle of writing page {page}: the last line may be cut off"
        ));
    }
    text
}

/// `; to go on, give the same command with this URL: ..`
pub(crate) fn go_on(next: Option<&str>, args: &PagesArgs) -> String {
    let Some(next) = next else {
        return String::new();
    };
    let first = match args.first_page {
        Some(_) => " (without --first-page)",
        None => "",
    };
    let output = match &args.output {
        Some(path) if path.as_os_str() != "-" => " and another -o",
        _ => "",
    };
    format!("; to go on, give the same command{first} with this URL{output}: {next}")
}

/// `1 page`, `17 pages`.
fn count(number: u64, what: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{} {what}{plural}", grouped(number))
}

fn retries(number: u64) -> String {
    match number {
        1 => "1 retry".to_owned(),
        number => format!("{} retries", grouped(number)),
    }
}
