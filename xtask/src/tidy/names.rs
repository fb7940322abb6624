//! File names that say nothing.

use super::tree::Tree;

const SAY_NOTHING: [&str; 8] = [
    "util",
    "utils",
    "utilities",
    "common",
    "helper",
    "helpers",
    "misc",
    "stuff",
];

pub(super) fn check(tree: &Tree) -> Vec<String> {
    let bad = tree.files.iter().filter(|file| {
        let mut parts = file.path.split('/');
        parts.any(|part| {
            let stem = part.split('.').next().unwrap_or(part);
            SAY_NOTHING.contains(&stem.to_lowercase().as_str())
        })
    });
    bad.map(|file| format!("{}: a name that says what is in it, please", file.path))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::tree::tree;
    use super::*;

    #[test]
    fn names_that_say_nothing_are_found() {
        let bad = tree(&[
            ("crates/a/src/utils.rs", ""),
            ("crates/a/tests/common/mod.rs", ""),
            ("docs/misc.md", ""),
            ("crates/a/src/commonmark.rs", ""),
        ]);
        assert_eq!(check(&bad).len(), 3);
    }
}
