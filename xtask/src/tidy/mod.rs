//! `cargo xtask tidy`: style as a test. Each rule is a function from the tree to what it finds wrong.

mod concepts;
mod evidence;
mod forbidden;
mod layers;
mod lengths;
mod links;
mod names;
mod ratchet;
mod rows;
mod rust;
mod tree;
mod words;

use crate::{readme, root};

pub(crate) use tree::Tree;

/// A rule: what it is called, and what it finds. A finding is one line that says where and what.
type Rule = (&'static str, fn(&Tree) -> Vec<String>);

const RULES: [Rule; 11] = [
    ("layers", layers::check),
    ("rows", rows::check),
    ("names", names::check),
    ("lengths", lengths::check),
    ("forbidden code", forbidden::check),
    ("unsafe", forbidden::check_unsafe),
    ("concepts", concepts::check),
    ("modules", concepts::check_modules),
    ("links", links::check),
    ("evidence", evidence::check),
    ("words", words::check),
];

/// Checks every rule; all findings are printed before the first failure is one.
pub(crate) fn run() -> Result<String, String> {
    let tree = Tree::load(&root())?;
    let files = tree.files.len();
    let rust = tree.ending_with(".rs").count();
    if rust == 0 {
        return Err("there is no file to look at".into());
    }
    let mut found: Vec<String> = readme::promised(&root());
    for (name, rule) in RULES {
        found.extend(
            rule(&tree)
                .into_iter()
                .map(|what| format!("{name}: {what}")),
        );
    }
    if found.is_empty() {
        return Ok(format!(
            "{} rules over {files} files, {rust} of them Rust",
            RULES.len()
        ));
    }
    for what in &found {
        println!("  {what}");
    }
    Err(format!("{} findings", found.len()))
}
