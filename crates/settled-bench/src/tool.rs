//! One row of a table: a peer, and how it is called for this work.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;

use crate::error::Result;
use crate::install;
use crate::options::Common;
use crate::peer::{Peer, Toolbox};

/// A way to call a peer.
#[derive(Debug)]
pub struct Tool {
    /// The row's name, unique in its table.
    pub name: &'static str,
    /// The program.
    pub peer: Peer,
    /// Its arguments, separated by spaces; `{PLACEHOLDER}` stands for a value of the run.
    pub args: &'static str,
    /// It gets one in so many of the jobs: the slow ones would take all the time.
    pub share: u64,
}

/// A tool that is on this machine.
#[derive(Debug)]
pub struct Ready<'a> {
    /// The tool.
    pub tool: &'a Tool,
    /// Where its program is.
    pub program: PathBuf,
}

/// The values of placeholders, by name.
pub type Values = BTreeMap<&'static str, String>;

/// Those of the tools that are wanted (or needed for ratios) and to be had. Every other wanted one
/// is named with the reason why it is skipped.
///
/// # Errors
/// If peers were to be installed and there is no place for them.
pub fn ready<'a>(
    tools: &'a [Tool],
    needed: &[&str],
    common: &Common,
    toolbox: &Toolbox,
) -> Result<Vec<Ready<'a>>> {
    let wanted = |tool: &&Tool| common.wants(tool.name) || needed.contains(&tool.name);
    if common.install {
        let peers: Vec<&Peer> = tools.iter().filter(wanted).map(|tool| &tool.peer).collect();
        install::missing(&peers, toolbox)?;
    }
    let mut ready = Vec::new();
    for tool in tools.iter().filter(wanted) {
        match toolbox.find(&tool.peer) {
            Ok(program) => ready.push(Ready { tool, program }),
            Err(why) => eprintln!("skipped: {}: {why}", tool.name),
        }
    }
    Ok(ready)
}

impl Ready<'_> {
    /// The command for these values.
    #[must_use]
    pub fn command(&self, toolbox: &Toolbox, values: &Values) -> Command {
        let mut command = toolbox.command(&self.program);
        command.args(fill(self.tool.args, values));
        command
    }
}

/// The arguments of a template: split at spaces first, so that a value never becomes two arguments.
///
/// # Panics
/// If a placeholder has no value: the table of tools is wrong.
#[must_use]
pub fn fill(template: &str, values: &Values) -> Vec<String> {
    template
        .split_whitespace()
        .map(|argument| fill_one(argument, values))
        .collect()
}

fn fill_one(argument: &str, values: &Values) -> String {
    let mut filled = String::new();
    let mut rest = argument;
    // `{}` is xargs' own.
    while let Some((before, after)) = rest.split_once('{')
        && let Some((name, behind)) = after.split_once('}')
    {
        filled.push_str(before);
        match values.get(name) {
            Some(value) => filled.push_str(value),
            None if name.is_empty() => filled.push_str("{}"),
            None => panic!("no value for {{{name}}} in {argument}"),
        }
        rest = behind;
    }
    filled + rest
}

#[cfg(test)]
mod tests {
    use super::{Values, fill};

    #[test]
    fn placeholders_are_filled_inside_arguments() {
        let values = Values::from([("C", "8".to_owned()), ("OUT", "/a b/out".to_owned())]);
        assert_eq!(
            fill("-j{C} -o {OUT} -I{} x", &values),
            ["-j8", "-o", "/a b/out", "-I{}", "x"]
        );
    }

    #[test]
    #[should_panic(expected = "no value for {N}")]
    fn an_unknown_placeholder_is_a_mistake() {
        let _ = fill("{N}", &Values::new());
    }
}
