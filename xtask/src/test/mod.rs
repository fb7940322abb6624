//! `cargo xtask test`: everything that has to pass, step by step, up to the first failure.
//!
//! The steps share one target folder and one set of flags, so that nothing is compiled twice; only the models and the sanitizer,
//! whose flags change every crate, have folders of their own inside it.

mod count;
mod tools;

use std::process::Command;
use std::time::Instant;

use crate::exec::{cargo, run_and_look, target_dir};
use crate::{exec, readme, tidy};
use count::Count;

/// A step: what it is called, and what it does; it says what it came to.
type Step = (&'static str, fn() -> Result<String, String>);

const STEPS: [Step; 9] = [
    ("format", format),
    ("tidy", tidy::run),
    ("lints", lints),
    ("docs", docs),
    ("tools", tools::install),
    ("tests", tests),
    ("models", models),
    ("sanitizer", sanitizer),
    // The tests have just built the binary.
    ("commands", || {
        readme::run(&target_dir().join("debug/settled"))
    }),
];

/// Runs the named steps, or all of them.
pub(crate) fn run(only: &[String]) -> Result<(), String> {
    let names: Vec<&str> = STEPS.iter().map(|(name, _)| *name).collect();
    if let Some(unknown) = only.iter().find(|name| !names.contains(&name.as_str())) {
        let names = names.join(", ");
        return Err(format!("there is no step {unknown}; the steps are {names}"));
    }
    let chosen = |name: &str| only.is_empty() || only.iter().any(|one| one == name);
    let steps: Vec<_> = STEPS.iter().filter(|(name, _)| chosen(name)).collect();
    let all = Instant::now();
    let count = steps.len();
    for (number, (name, step)) in (1..).zip(steps) {
        println!("\n=== {number}/{count} {name}");
        let begun = Instant::now();
        let came_to = step().map_err(|why| format!("step {number}/{count}, {name}: {why}"))?;
        let seconds = begun.elapsed().as_secs_f64();
        println!("=== {name}: passed in {seconds:.1} s: {came_to}");
    }
    let seconds = all.elapsed().as_secs_f64();
    let left_out = names.len() - count;
    println!("\n{count} steps passed in {seconds:.0} s, {left_out} were not asked for.");
    Ok(())
}

fn format() -> Result<String, String> {
    exec::run(&mut cargo(&["fmt", "--all", "--check"]))
        .map_err(|why| format!("{why} (cargo fmt --all puts it right)"))?;
    Ok("every file as rustfmt writes it".into())
}

fn lints() -> Result<String, String> {
    let lint = ["clippy", "--workspace", "--all-targets", "--"];
    exec::run(cargo(&lint).args(["-D", "warnings"]))?;
    Ok("no warning".into())
}

/// The binary `settled` and the library `settled` write to the same page: the library comes last, so the page that stays is its own.
fn docs() -> Result<String, String> {
    let document = |args: &[&str]| {
        let doc = ["doc", "--no-deps", "--document-private-items"];
        exec::run(cargo(&doc).args(args).env("RUSTDOCFLAGS", "-D warnings"))
    };
    document(&["--package", "settled-cli", "--package", "xtask"])?;
    document(&["--workspace", "--lib"])?;
    Ok("no warning".into())
}

fn tests() -> Result<String, String> {
    // What passing tests print is shown: seeds, how many cases ran, what this machine could not do.
    counted(&mut cargo(&["test", "--workspace", "--", "--show-output"]))
}

/// Every interleaving of the primitives' models.
fn models() -> Result<String, String> {
    let test = ["test", "--package", "settled", "--release"];
    let mut command = cargo(&test);
    command.args(["--lib", "--test", "it", "--", "--show-output"]);
    command
        .env("RUSTFLAGS", "--cfg loom")
        .env("CARGO_TARGET_DIR", target_dir().join("loom"));
    counted(&mut command)
}

/// The library's tests once more, under what sees each byte that is read or written where nothing is: for its unsafe code. The runtime of it
/// comes with the toolchain, for one target; the flag is not stable yet, so that a stable compiler has to be told that it may.
fn sanitizer() -> Result<String, String> {
    const TARGET: &str = "x86_64-unknown-linux-gnu";
    let libraries = Command::new("rustc")
        .args(["--print", "target-libdir"])
        .output()
        .map_err(|error| format!("rustc: {error}"))?;
    let libraries = String::from_utf8_lossy(&libraries.stdout);
    let there = std::fs::read_dir(libraries.trim()).is_ok_and(|files| {
        let mut names = files.flatten().map(|file| file.file_name());
        names.any(|name| name.to_string_lossy().ends_with("_rt.asan.a"))
    });
    if !libraries.contains(TARGET) || !there {
        return Ok(format!("left out: the toolchain has it for {TARGET} only"));
    }
    // With the features that the other steps leave off.
    let test = ["test", "--package", "settled", "--features", "tracing"];
    let mut command = cargo(&test);
    command.args(["--target", TARGET, "--test", "it", "--", "--show-output"]);
    command
        .env("RUSTC_BOOTSTRAP", "1")
        .env("RUSTFLAGS", "-Zsanitizer=address")
        .env("CARGO_TARGET_DIR", target_dir().join("sanitizer"));
    counted(&mut command)
}

fn counted(command: &mut Command) -> Result<String, String> {
    let mut count = Count::default();
    run_and_look(command, |line| count.look(line))?;
    count.verdict()
}
