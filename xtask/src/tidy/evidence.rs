//! The tests that docs/reliability.md names exist.

use super::rust::words;
use super::tree::Tree;

const DOCUMENT: &str = "docs/reliability.md";

pub(super) fn check(tree: &Tree) -> Vec<String> {
    let Some(document) = tree.get(DOCUMENT) else {
        return vec![format!("{DOCUMENT} is missing")];
    };
    let lines = (1..).zip(document.text.lines());
    let named = lines.flat_map(|(number, line)| {
        let code = line.split('`').skip(1).step_by(2);
        code.filter_map(move |code| Some((number, code.split_once("::")?)))
    });
    let missing = named.filter(|(_, (file, test))| !exists(tree, file, test));
    missing
        .map(|(number, (file, test))| {
            format!("{DOCUMENT}:{number}: there is no test {test} in a file {file}.rs")
        })
        .collect()
}

fn exists(tree: &Tree, file: &str, test: &str) -> bool {
    let mut files = tree.ending_with(".rs").filter(|found| found.stem() == file);
    files.any(|found| {
        let mut before = "";
        words(&found.code)
            .any(|(_, word)| std::mem::replace(&mut before, word) == "fn" && word == test)
    })
}

#[cfg(test)]
mod tests {
    use super::super::tree::tree;
    use super::*;

    #[test]
    fn a_test_that_is_not_there_is_found() {
        let bad = tree(&[
            (
                DOCUMENT,
                "| a | `kill::once`, `kill::twice` |\n`other::once`\n",
            ),
            ("crates/a/tests/it/kill.rs", "fn once() {} // fn twice() {}"),
        ]);
        assert_eq!(check(&bad).len(), 2);
    }
}
