//! The project's own chores: `cargo xtask test | tidy | bench`.
//!
//! Nothing but the standard library: this is the first thing that is compiled on a fresh machine.

mod bench;
mod exec;
mod markdown;
mod readme;
mod shell;
mod test;
mod tidy;

use std::path::PathBuf;
use std::process::ExitCode;

/// What `cargo xtask` can do; the README's commands are held against these names.
pub(crate) const CHORES: [&str; 4] = ["test", "tidy", "bench", "help"];

const HELP: &str = "The project's own chores.

cargo xtask test [STEP..]    everything that has to pass: format, tidy, lints, docs, tools, tests, models, commands
cargo xtask tidy             style as a test: layers, names, lengths, links, commands in the documents
cargo xtask bench TABLE ...  a table of docs/performance.md with its peers (bench --help says more)
cargo xtask help             this
";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let (chore, rest) = args
        .split_first()
        .map_or(("help", &[][..]), |(chore, rest)| (chore.as_str(), rest));
    let done = match (chore, rest) {
        ("bench", _) => bench::run(rest),
        ("test", _) => test::run(rest),
        ("tidy", []) => tidy_all(),
        ("help" | "--help" | "-h", _) => {
            print!("{HELP}");
            Ok(())
        }
        ("tidy", [unknown, ..]) => Err(format!("tidy takes no {unknown}")),
        _ => Err(format!("there is no chore {chore}\n\n{HELP}")),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("xtask: {why}");
            ExitCode::FAILURE
        }
    }
}

/// Style, and the commands in the documents against the binary.
fn tidy_all() -> Result<(), String> {
    println!("{}", tidy::run()?);
    println!("{}", readme::run(&readme::build_settled()?)?);
    Ok(())
}

/// The folder of the workspace.
pub(crate) fn root() -> PathBuf {
    let xtask = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    xtask.parent().map(PathBuf::from).unwrap_or(xtask)
}
