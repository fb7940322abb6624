//! The tests that docs/reliability.md and docs/behaviours.md name exist.

use super::rust::words;
use super::tree::Tree;

const DOCUMENTS: [&str; 2] = ["docs/reliability.md", "docs/behaviours.md"];

pub(super) fn check(tree: &Tree) -> Vec<String> {
    let found = |name: &str| match tree.get(name) {
        Some(document) => missing(tree, name, &document.text),
        None => vec![format!("{name} is missing")],
    };
    DOCUMENTS.into_iter().flat_map(found).collect()
}

fn missing(tree: &Tree, name: &str, text: &str) -> Vec<String> {
    let named = (1..).zip(text.lines()).flat_map(|(number, line)| {
        let code = line.split('`').skip(1).step_by(2);
        code.filter_map(move |code| Some((number, code.split_once("::")?)))
    });
    let missing = named.filter(|(_, (file, test))| !exists(tree, file, test));
    missing
        .map(|(number, (file, test))| {
            format!("{name}:{number}: there is no test {test} in a file {file}.rs")
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
                DOCUMENTS[0],
                "| a | `kill::once`, `kill::twice` |\n`other::once`\n",
            ),
            (DOCUMENTS[1], "`kill::thrice`\n"),
            ("crates/a/tests/it/kill.rs", "fn once() {} // fn twice() {}"),
        ]);
        assert_eq!(check(&bad).len(), 3);
    }
}
