//! The commands in the documents are real: chores exist, and the binary knows every flag that is shown.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::exec::{self, cargo, target_dir};
use crate::markdown::{Block, blocks};
use crate::shell::commands;
use crate::tidy::Tree;
use crate::{CHORES, root};

/// Builds the binary whose help is asked.
pub(crate) fn build_settled() -> Result<PathBuf, String> {
    exec::run(&mut cargo(&["build", "--package", "settled-cli"]))?;
    Ok(target_dir().join("debug/settled"))
}

/// Looks at every command of every document: in `sh` blocks, and after the prompts of `console` blocks.
pub(crate) fn run(settled: &Path) -> Result<String, String> {
    let tree = Tree::load(&root())?;
    let mut known = Known::new(|args: &[&str]| help(settled, args));
    let mut looked_at = 0;
    let mut wrong = Vec::new();
    for file in tree.ending_with(".md") {
        for block in blocks(&file.text) {
            for words in commands(&typed(&block)) {
                looked_at += 1;
                let Err(why) = known.check(&words) else {
                    continue;
                };
                let Block { line, .. } = block;
                wrong.push(format!(
                    "{}: the block at line {line}: {}: {why}",
                    file.path,
                    words.join(" ")
                ));
            }
        }
    }
    if !wrong.is_empty() {
        return Err(format!(
            "commands that are not real:\n  {}",
            wrong.join("\n  ")
        ));
    }
    if looked_at == 0 {
        return Err("no command was found in any document".into());
    }
    Ok(format!("{looked_at} commands of the documents are real"))
}

/// What of a block somebody has typed.
fn typed(block: &Block<'_>) -> String {
    match block.language {
        "sh" => block.text.clone(),
        "console" => {
            let typed = block
                .text
                .lines()
                .filter_map(|line| line.strip_prefix("$ "));
            typed.collect::<Vec<_>>().join("\n")
        }
        _ => String::new(),
    }
}

fn help(settled: &Path, args: &[&str]) -> Result<String, String> {
    let name = settled.display();
    let output = Command::new(settled)
        .args(args)
        .arg("--help")
        .output()
        .map_err(|error| format!("{name}: {error}"))?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    } else {
        Err(format!("settled has no command {}", args.join(" ")))
    }
}

/// What `cargo` itself can do, as far as documents need it.
const CARGO: [&str; 9] = [
    "add", "build", "clippy", "deny", "doc", "fmt", "install", "run", "test",
];

/// Knows which commands are real. What is neither cargo's nor settled's is taken as it is.
struct Known<H> {
    /// Gives the help of one of settled's commands.
    help: H,
    flags: HashMap<String, Result<Vec<String>, String>>,
}

impl<H: FnMut(&[&str]) -> Result<String, String>> Known<H> {
    fn new(help: H) -> Self {
        Self {
            help,
            flags: HashMap::new(),
        }
    }

    fn check(&mut self, words: &[String]) -> Result<(), String> {
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        match words.as_slice() {
            ["cargo", args @ ..] => self.check_cargo(args),
            [program, args @ ..] if program.rsplit('/').next() == Some("settled") => {
                self.check_settled(args)
            }
            _ => Ok(()),
        }
    }

    fn check_cargo(&mut self, args: &[&str]) -> Result<(), String> {
        match args {
            ["xtask", chore, ..] if CHORES.contains(chore) => Ok(()),
            ["xtask", ..] => Err("there is no such chore".into()),
            ["run", rest @ ..] if !rest.iter().any(|arg| ["-p", "--package"].contains(arg)) => {
                let given = rest.iter().position(|&arg| arg == "--");
                given.map_or(Ok(()), |at| self.check_settled(&rest[at + 1..]))
            }
            ["install", "--path", path, ..] if !root().join(path).is_dir() => {
                Err(format!("there is no {path}"))
            }
            [command, ..] if CARGO.contains(command) => Ok(()),
            _ => Err("cargo can't do that".into()),
        }
    }

    fn check_settled(&mut self, args: &[&str]) -> Result<(), String> {
        let command = args.iter().find(|arg| !arg.starts_with('-')).copied();
        let flags = self.flags_of(command)?;
        // What comes after `--` is the job's command, not ours.
        for arg in args.iter().take_while(|&&arg| arg != "--") {
            let flag = arg.split('=').next().unwrap_or(arg);
            let is_flag = flag.len() > 1
                && flag.starts_with('-')
                && !flag[1..].starts_with(|c: char| c.is_ascii_digit() && c != '0');
            if is_flag && !flags.iter().any(|known| known == flag) {
                return Err(format!("there is no flag {flag}"));
            }
        }
        Ok(())
    }

    fn flags_of(&mut self, command: Option<&str>) -> Result<Vec<String>, String> {
        let args: Vec<&str> = command.into_iter().collect();
        let help = &mut self.help;
        let found = self
            .flags
            .entry(args.join(" "))
            .or_insert_with(|| help(&args).map(|text| flags_in(&text)));
        found.clone()
    }
}

/// The flags that a help text lists.
fn flags_in(help: &str) -> Vec<String> {
    let listed = help
        .lines()
        .filter(|line| line.trim_start().starts_with('-'));
    let words = listed.flat_map(|line| line.split([' ', ',', '[']));
    words
        .filter(|word| word.starts_with('-'))
        .map(str::to_owned)
        .collect()
}

/// Whether the two commands that the project promises stand where they have to.
pub(crate) fn promised(root: &Path) -> Vec<String> {
    let holds = |path: &str, what: &str| {
        let text = fs::read_to_string(root.join(path)).unwrap_or_default();
        (!text.contains(what)).then(|| format!("{path}: `{what}` is missing"))
    };
    let promised = [
        holds("README.md", "cargo run --release -- demo"),
        holds("README.md", "cargo xtask test"),
        holds(".ci/run", "cargo xtask test"),
    ];
    promised.into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HELP: &str = "Usage: settled run [OPTIONS]\n\nInput:\n  -i, --input <FILE>   The list\n  -0, --null\n      --color <WHEN>\n";

    fn check(text: &str) -> Result<(), String> {
        let mut known = Known::new(|args: &[&str]| match args {
            [] | ["run"] => Ok(HELP.to_owned()),
            _ => Err("no such command".to_owned()),
        });
        commands(text)
            .iter()
            .try_for_each(|words| known.check(words))
    }

    #[test]
    fn real_commands_pass() {
        for text in [
            "settled run -0 --input=x -- wc -l {}",
            "target/release/settled run --color never -i -",
            "cargo run --release -- run -i list.txt",
            "cargo xtask tidy",
            "cargo test --workspace | tail",
            "wget --any-flag",
        ] {
            assert_eq!(check(text), Ok(()), "{text}");
        }
    }

    #[test]
    fn what_was_typed_is_told_from_what_was_answered() {
        let text = "```console\n$ settled man\nanswer\n```\n```json\n{}\n```\n";
        let typed: Vec<_> = blocks(text).iter().map(typed).collect();
        assert_eq!(typed, ["settled man", ""]);
    }

    #[test]
    fn invented_commands_are_found() {
        for text in [
            "settled run --turbo -i x",
            "settled fly",
            "ls; settled run -i x -j 3 -- true",
            "cargo run --release -- run --turbo",
            "cargo xtask fly",
            "cargo fly",
            "cargo install --path crates/no-such-crate",
        ] {
            assert!(check(text).is_err(), "{text}");
        }
    }
}
