//! The library's rows: one way to do one thing, measured in a process of its own.
//!
//! `library TABLE HOW CASE MILLIS`. Prints one line, see [`Figure`](settled_bench::library::Figure). The
//! names of tables and cases stand in `settled_bench::library::tables`.

mod all;
mod cancel;
mod heap;
mod job;
mod map;
mod meter;
mod semaphore;
mod spawned;
mod timeout;

use std::process::ExitCode;
use std::time::Duration;

use settled_bench::reference::arguments;

use crate::meter::Meter;

#[global_allocator]
static HEAP: heap::Counting = heap::Counting;

const USAGE: &str = "library TABLE HOW CASE MILLIS";

fn main() -> ExitCode {
    let [table, how, case, millis] = arguments(USAGE);
    let Ok(millis) = millis.parse() else {
        eprintln!("usage: {USAGE}");
        return ExitCode::from(2);
    };
    let meter = Meter::new(Duration::from_millis(millis));
    let figure = match table.as_str() {
        "all" => all::run(&how, &case, &meter),
        "cancel" => cancel::run(&case, &meter),
        "map" if how == "spawned" => spawned::run(&case, &meter),
        "map" => map::run(&how, &case, &meter),
        "semaphore" => semaphore::run(&how, &case, &meter),
        "timeout" => timeout::run(&how, &case, &meter),
        _ => None,
    };
    let Some(figure) = figure else {
        eprintln!("no such case: {table} {how} {case}");
        return ExitCode::from(2);
    };
    println!("{figure}");
    ExitCode::SUCCESS
}
