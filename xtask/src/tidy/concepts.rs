//! A concept is a module is a test file, all of the same name; and every file is part of what is compiled.

use super::rust::words;
use super::tree::{File, Tree};

const SOURCES: &str = "crates/settled/src/";
const TESTS: &str = "crates/settled/tests/it/";

/// Modules of the library without a test file of their own, and why.
const NO_TEST_FILE: [(&str, &str); 5] = [
    ("crew", "shown by combine and grace, which poll it"),
    (
        "reason",
        "shown by abort, outcome and scope, which carry it",
    ),
    (
        "slots",
        "shown by combine and map, whose futures are in them",
    ),
    ("sync", "the library's own lock: the models run on it"),
    ("wake", "shown by the models, and by combine and map"),
];

/// Test files of the library that are a kind of proof and no concept.
const PROOFS: [(&str, &str); 4] = [
    ("auto_traits", "Send, Sync and Unpin of everything public"),
    ("loom", "models"),
    ("mixed", "concepts inside of each other"),
    (
        "steps",
        "drops a future at every step, for the tests of the concepts",
    ),
];

pub(super) fn check(tree: &Tree) -> Vec<String> {
    let top = |folder: &'static str| {
        let files = tree.under(folder).filter(|file| file.path.ends_with(".rs"));
        let files = files.filter(move |file| !file.path[folder.len()..].contains('/'));
        files.map(File::stem).collect::<Vec<_>>()
    };
    let (modules, tests) = (top(SOURCES), top(TESTS));
    let mut found = Vec::new();
    for module in modules.iter().filter(|module| **module != "lib") {
        let excused = NO_TEST_FILE.iter().any(|(name, _)| name == module);
        if excused == tests.contains(module) {
            found.push(format!(
                "{SOURCES}{module}.rs: {TESTS}{module}.rs is missing (or excused in vain)"
            ));
        }
    }
    for test in tests.iter().filter(|test| **test != "main") {
        let proof = PROOFS.iter().any(|(name, _)| name == test);
        if !proof && !modules.contains(test) {
            found.push(format!(
                "{TESTS}{test}.rs: there is no concept of that name"
            ));
        }
    }
    found
}

/// A file that no `mod` names is compiled by nobody, and a test in it never runs.
pub(super) fn check_modules(tree: &Tree) -> Vec<String> {
    let files = tree
        .ending_with(".rs")
        .filter(|file| !is_root(&file.path) && !is_named(tree, &file.path));
    files
        .map(|file| format!("{}: no `mod` names it, so nobody compiles it", file.path))
        .collect()
}

/// Cargo finds these by itself.
fn is_root(path: &str) -> bool {
    let parts: Vec<&str> = path.split('/').collect();
    matches!(
        parts.as_slice(),
        [.., "src", "main.rs" | "lib.rs"]
            | [.., "build.rs"]
            | [.., "src", "bin", _]
            | [.., "tests" | "examples" | "benches", _]
            | [.., "bin" | "tests" | "examples" | "benches", _, "main.rs"]
    )
}

fn is_named(tree: &Tree, path: &str) -> bool {
    let Some((folder, name)) = path.rsplit_once('/') else {
        return false;
    };
    // `a/b/mod.rs` is named where `a/b.rs` would be.
    let (folder, module) = match (name, folder.rsplit_once('/')) {
        ("mod.rs", Some((above, module))) => (above, module),
        _ => (folder, name.trim_end_matches(".rs")),
    };
    let namers = [
        format!("{folder}/mod.rs"),
        format!("{folder}/lib.rs"),
        format!("{folder}/main.rs"),
        format!("{folder}.rs"),
    ];
    let by_name = namers
        .iter()
        .filter_map(|namer| tree.get(namer))
        .any(|namer| declares(&namer.code, module));
    // `#[path = ".."]`: by whoever says so.
    let by_path = || {
        tree.ending_with(".rs").any(|file| {
            file.text.contains(&format!("{name}\"]")) && file.text.contains("#[path = ")
        })
    };
    by_name || by_path()
}

fn declares(code: &str, module: &str) -> bool {
    let mut before = "";
    words(code).any(|(_, word)| std::mem::replace(&mut before, word) == "mod" && word == module)
}

#[cfg(test)]
mod tests {
    use super::super::tree::tree;
    use super::*;

    #[test]
    fn concepts_without_tests_and_tests_without_concepts_are_found() {
        let bad = tree(&[
            ("crates/settled/src/lib.rs", ""),
            ("crates/settled/src/scope.rs", ""),
            ("crates/settled/src/sync.rs", ""),
            ("crates/settled/src/scope/inner.rs", ""),
            ("crates/settled/src/abort.rs", ""),
            ("crates/settled/tests/it/main.rs", ""),
            ("crates/settled/tests/it/abort.rs", ""),
            ("crates/settled/tests/it/loom.rs", ""),
            ("crates/settled/tests/it/bugs.rs", ""),
        ]);
        let found = check(&bad);
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found[0].contains("scope.rs") && found[1].contains("bugs.rs"));
    }

    #[test]
    fn files_that_nobody_compiles_are_found() {
        let bad = tree(&[
            ("crates/a/src/lib.rs", "mod b; // mod lost;\nmod d;"),
            ("crates/a/src/b.rs", "mod c;"),
            ("crates/a/src/b/c.rs", ""),
            ("crates/a/src/d/mod.rs", ""),
            ("crates/a/src/lost.rs", ""),
            ("crates/a/tests/it/main.rs", "#[cfg(x)]\nmod e;"),
            ("crates/a/tests/it/e.rs", ""),
            ("crates/a/tests/it/forgotten.rs", ""),
            ("crates/a/src/bin/x.rs", ""),
        ]);
        let found = check_modules(&bad);
        assert_eq!(found.len(), 2, "{found:?}");
    }
}
