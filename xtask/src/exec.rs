//! Commands that a chore starts: shown as they run, with a clear word when they fail.

use std::io::{self, BufRead, BufReader, IsTerminal};
use std::path::PathBuf;
use std::process::Command;

/// Cargo, as it was called, in the workspace's folder.
pub(crate) fn cargo(args: &[&str]) -> Command {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(args).current_dir(crate::root());
    command
}

/// Where cargo puts what it builds.
pub(crate) fn target_dir() -> PathBuf {
    match std::env::var_os("CARGO_TARGET_DIR") {
        Some(dir) => std::path::absolute(&dir).unwrap_or_else(|_| dir.into()),
        None => crate::root().join("target"),
    }
}

/// Runs a command to its end; what it says goes where ours goes.
pub(crate) fn run(command: &mut Command) -> Result<(), String> {
    let status = command
        .status()
        .map_err(|error| format!("{}: {error}", shown(command)))?;
    if status.success() {
        Ok(())
    } else {
        Err(format!("{}: {status}", shown(command)))
    }
}

/// Runs a command to its end, hands every line that it says to `look`, and prints those of which that says so.
///
/// Both its streams go through one pipe, so that the lines come in the order in which they were written.
pub(crate) fn run_and_look(
    command: &mut Command,
    mut look: impl FnMut(&str) -> bool,
) -> Result<(), String> {
    let broken = |name: &str| {
        let name = name.to_owned();
        move |error: io::Error| format!("{name}: {error}")
    };
    let name = shown(command);
    let (reader, writer) = io::pipe().map_err(broken(&name))?;
    let both = writer.try_clone().map_err(broken(&name))?;
    if io::stdout().is_terminal() {
        command.env("CARGO_TERM_COLOR", "always");
    }
    let mut child = command
        .stdout(both)
        .stderr(writer)
        .spawn()
        .map_err(broken(&name))?;
    // Our own ends of the pipe: with them open it would never end.
    command
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null());
    let mut lines = BufReader::new(reader);
    let mut line = Vec::new();
    while lines.read_until(b'\n', &mut line).map_err(broken(&name))? > 0 {
        let text = String::from_utf8_lossy(&line);
        if look(&without_colour(text.trim_end())) {
            print!("{text}");
        }
        line.clear();
    }
    let status = child.wait().map_err(broken(&name))?;
    if status.success() {
        Ok(())
    } else {
        Err(format!("{name}: {status}"))
    }
}

fn shown(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let words: Vec<_> = words.map(|word| word.to_string_lossy()).collect();
    words.join(" ")
}

/// The text without the escape sequences that set colours.
fn without_colour(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("\x1b[") {
        plain.push_str(before);
        let end = after.find(|c: char| c.is_ascii_alphabetic());
        rest = end.map_or("", |end| &after[end + 1..]);
    }
    plain + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_come_in_the_order_in_which_they_were_written_and_a_failure_is_said() {
        let mut seen = Vec::new();
        let mut command = Command::new("sh");
        command.args([
            "-c",
            "for n in 1 2 3; do echo out $n; echo err $n >&2; done; exit 3",
        ]);
        let done = run_and_look(&mut command, |line| {
            seen.push(line.to_owned());
            true
        });
        assert_eq!(seen, ["out 1", "err 1", "out 2", "err 2", "out 3", "err 3"]);
        assert!(done.is_err_and(|why| why.ends_with("exit status: 3")));
    }

    #[test]
    fn colours_are_left_out() {
        assert_eq!(
            without_colour("\x1b[1m\x1b[32m     Running\x1b[0m tests/it/main.rs"),
            "     Running tests/it/main.rs"
        );
    }
}
