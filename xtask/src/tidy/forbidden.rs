//! Code that must not be there, or not there.

use super::rust::{line_of, words};
use super::tree::{File, Tree};

/// Macros that leave work undone, or that were meant for one's own eyes.
const MACROS: [&str; 3] = ["todo", "unimplemented", "dbg"];

/// The files that may say `unsafe`, each with what for.
const UNSAFE: [(&str, &str); 13] = [
    (
        "crates/settled/tests/it/combine/hostile.rs",
        "wakers that panic",
    ),
    ("crates/settled/src/slots.rs", "futures pinned in a box"),
    (
        "crates/settled/src/wake.rs",
        "a waker that is a pointer into its set",
    ),
    (
        "crates/settled-jobs/src/run/spawn/raw.rs",
        "clone(VM, VFORK)",
    ),
    ("crates/settled-bench/src/child.rs", "wait4"),
    ("crates/settled-bench/src/reference.rs", "signals, limits"),
    ("crates/settled-bench/src/interrupt.rs", "a signal handler"),
    (
        "crates/settled-bench/src/bin/library/heap.rs",
        "an allocator",
    ),
    ("crates/settled-bench/src/bin/http_uring.rs", "io_uring"),
    ("crates/settled-bench/src/bin/spawn_posix.rs", "posix_spawn"),
    ("crates/settled-bench/src/bin/spawn_vfork.rs", "vfork"),
    ("crates/settled-bench/tests/it/harness.rs", "kill"),
    ("crates/settled-bench/tests/it/measure.rs", "raise"),
];

pub(super) fn check(tree: &Tree) -> Vec<String> {
    tree.ending_with(".rs").flat_map(in_file).collect()
}

fn in_file(file: &File) -> Vec<String> {
    let code = &file.code;
    let mut found = Vec::new();
    let mut say = |at: usize, what: &str| {
        found.push(format!("{}:{}: {what}", file.path, line_of(code, at)));
    };
    for (at, word) in words(code) {
        let after = code[at + word.len()..].trim_start();
        if word == "allow" && after.starts_with('(') && is_in_attribute(&code[..at]) {
            say(
                at,
                "`allow` hides; `expect` with a reason tells when it is no longer needed",
            );
        } else if MACROS.contains(&word) && after.starts_with('!') {
            say(at, &format!("`{word}!` has no place in what is committed"));
        } else if word == "ignore" && after.starts_with(']') && is_in_attribute(&code[..at]) {
            say(at, "a test that is left out says why: #[ignore = \"..\"]");
        }
    }
    found
}

/// Whether the text ends inside of `#[..]`.
fn is_in_attribute(before: &str) -> bool {
    let opened = before.rfind("#[").max(before.rfind("#!["));
    opened.is_some_and(|at| {
        let mut depth = 0;
        before[at..].chars().all(|c| {
            depth += i32::from(c == '[') - i32::from(c == ']');
            depth > 0 || c != ']'
        })
    })
}

pub(super) fn check_unsafe(tree: &Tree) -> Vec<String> {
    let files = tree.ending_with(".rs");
    let with_unsafe: Vec<_> = files
        .filter(|file| words(&file.code).any(|(_, word)| word == "unsafe"))
        .map(|file| file.path.as_str())
        .collect();
    let unlisted = with_unsafe
        .iter()
        .filter(|path| !UNSAFE.iter().any(|(listed, _)| listed == *path));
    let unlisted = unlisted.map(|path| {
        format!("{path}: only the files listed in xtask/src/tidy/forbidden.rs may have it")
    });
    // A tree without any of the listed files is a test's.
    let unneeded = UNSAFE
        .iter()
        .filter(|(listed, _)| tree.get(listed).is_some() && !with_unsafe.contains(listed));
    let unneeded = unneeded.map(|(listed, what)| {
        format!("{listed} ({what}): it has none any more, so it need not be listed")
    });
    unlisted.chain(unneeded).collect()
}

#[cfg(test)]
mod tests {
    use super::super::tree::tree;
    use super::*;

    #[test]
    fn forbidden_code_is_found() {
        let bad = tree(&[(
            "a.rs",
            "#[allow(dead_code)]\n#![cfg_attr(test, allow(x))]\nfn f() { todo!() }\n#[test]\n#[ignore]\nfn g() { dbg!(1); }\n",
        )]);
        let found = check(&bad);
        let lines: Vec<_> = found
            .iter()
            .filter_map(|what| what.split(':').nth(1))
            .collect();
        assert_eq!(lines, ["1", "2", "3", "5", "6"], "{found:?}");
    }

    #[test]
    fn what_only_looks_like_it_passes() {
        let good = tree(&[(
            "a.rs",
            "// todo!() #[allow(x)]\n#[ignore = \"needs a network\"]\n#[test]\nfn allow(x: u8) { for y in [allow(1)] {} let s = \"dbg!\"; }\n",
        )]);
        assert_eq!(check(&good), [""; 0]);
    }

    #[test]
    fn unsafe_in_a_file_that_is_not_listed_is_found() {
        let bad = tree(&[
            ("crates/settled/src/abort.rs", "unsafe { x() }"),
            (
                "crates/settled/src/lib.rs",
                "#![forbid(unsafe_code)] // unsafe",
            ),
            (UNSAFE[0].0, "fn safe() {}"),
        ]);
        assert_eq!(check_unsafe(&bad).len(), 2);
    }
}
