//! How long a file and a function may be. Blank lines and comments are free, and so are tests: a table of cases is as long as it is.

use super::ratchet::Ratchet;
use super::rust::{code_lines, functions};
use super::tree::Tree;

const FILE: usize = 350;
const FUNCTION: usize = 60;

pub(super) fn check(tree: &Tree) -> Vec<String> {
    let sources = || {
        tree.ending_with(".rs")
            .filter(|file| file.path.contains("/src/"))
    };
    let files: Vec<_> = sources()
        .map(|file| (file.path.clone(), code_lines(&file.code)))
        .collect();
    let functions: Vec<_> = sources()
        .flat_map(|file| {
            functions(&file.code)
                .into_iter()
                .map(|found| (format!("{}:{}", file.path, found.name), found.length))
        })
        .collect();
    let file_exceptions = Ratchet::read("files.txt", include_str!("files.txt"));
    let function_exceptions = Ratchet::read("functions.txt", include_str!("functions.txt"));
    let mut found = file_exceptions.check(FILE, &files);
    found.extend(function_exceptions.check(FUNCTION, &longest(functions)));
    found
}

/// Of functions with one name in one file (methods of two types) the longest stands for all.
fn longest(mut functions: Vec<(String, usize)>) -> Vec<(String, usize)> {
    functions.sort_by(|a, b| (&a.0, b.1).cmp(&(&b.0, a.1)));
    functions.dedup_by(|later, first| later.0 == first.0);
    functions
}

#[cfg(test)]
mod tests {
    use super::super::tree::tree;
    use super::*;

    #[test]
    fn long_files_and_functions_are_found() {
        let lines = "x();\n".repeat(FILE);
        let file = format!("// free\n\n{lines}y();\n");
        let function = format!(
            "fn short() {{}}\nfn long() {{\n{}}}\n",
            "x();\n".repeat(FUNCTION)
        );
        let test = tree(&[
            ("crates/a/src/file.rs", &file),
            ("crates/a/src/function.rs", &function),
            ("crates/a/tests/it/file.rs", &file),
        ]);
        let found = check(&test);
        // What the lists of exceptions name is not in this tree.
        let found: Vec<_> = found
            .iter()
            .filter(|what| what.contains("crates/a/"))
            .collect();
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found[0].contains("file.rs: 351") && found[1].contains("function.rs:long: 62"));
    }
}
