//! Inside the library a module imports only from lower rows. The rows stand in ARCHITECTURE.md.

use super::rust::words;
use super::tree::Tree;

const DOCUMENT: &str = "ARCHITECTURE.md";
const LIBRARY: &str = "crates/settled/src/";

pub(super) fn check(tree: &Tree) -> Vec<String> {
    let Some(document) = tree.get(DOCUMENT) else {
        return vec![format!(
            "{DOCUMENT} is missing: the library's rows stand in it"
        )];
    };
    let rows = rows(&document.text);
    let mut found = Vec::new();
    let mut modules: Vec<&str> = Vec::new();
    for file in tree.under(LIBRARY) {
        let module = module_of(&file.path);
        if module == "lib" || !file.path.ends_with(".rs") {
            continue;
        }
        modules.push(module);
        let Some(row) = row_of(&rows, module) else {
            found.push(format!("{DOCUMENT}: the module {module} is in no row"));
            continue;
        };
        for used in used_modules(&file.code) {
            let fits = used == module || row_of(&rows, &used).is_some_and(|other| other < row);
            if !fits {
                found.push(format!(
                    "{}: {module} (row {row}) must not use {used}, which is in no lower row",
                    file.path
                ));
            }
        }
    }
    for (row, module) in &rows {
        if !modules.contains(&module.as_str()) {
            found.push(format!(
                "{DOCUMENT}: row {row} names {module}, which is no module of the library"
            ));
        }
    }
    found.dedup();
    found
}

/// `abort` of `crates/settled/src/abort.rs`, `semaphore` of `crates/settled/src/semaphore/waiters.rs`.
fn module_of(path: &str) -> &str {
    let inside = &path[LIBRARY.len()..];
    let first = inside.split('/').next().unwrap_or(inside);
    first.strip_suffix(".rs").unwrap_or(first)
}

fn row_of(rows: &[(u32, String)], module: &str) -> Option<u32> {
    let found = rows.iter().find(|(_, name)| name == module);
    found.map(|(row, _)| *row)
}

/// The rows of the table: ``| 1 | `reason`, `backoff` | .. |``.
fn rows(document: &str) -> Vec<(u32, String)> {
    let mut found = Vec::new();
    for line in document.lines() {
        let mut cells = line.split('|').skip(1).map(str::trim);
        let (Some(number), Some(names)) = (cells.next(), cells.next()) else {
            continue;
        };
        let Ok(number) = number.parse() else { continue };
        let names = names.split('`').skip(1).step_by(2);
        found.extend(names.map(|name| (number, name.to_owned())));
    }
    found
}

/// The modules of the crate that a code names: `crate::a::B`, `use crate::{a::B, c}`.
fn used_modules(code: &str) -> Vec<String> {
    let uses = code.split("crate::").skip(1);
    let named = uses.flat_map(|after| match after.strip_prefix('{') {
        Some(group) => parts(group),
        None => vec![after],
    });
    named.filter_map(first_word).collect()
}

/// The parts of a group of imports, up to its end; a part may have a group of its own.
fn parts(group: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let (mut depth, mut start) = (1, 0);
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        if depth == 0 || (depth == 1 && c == ',') {
            found.push(&group[start..at]);
            start = at + 1;
        }
        if depth == 0 {
            break;
        }
    }
    found
}

fn first_word(text: &str) -> Option<String> {
    words(text).next().map(|(_, word)| word.to_owned())
}

#[cfg(test)]
mod tests {
    use super::super::tree::tree;
    use super::*;

    const ROWS: &str =
        "| row | modules |\n|---|---|\n| 1 | `reason` | x |\n| 2 | `abort`, `outcome` | y |\n";

    #[test]
    fn an_import_from_the_same_or_a_higher_row_is_found() {
        let bad = tree(&[
            ("ARCHITECTURE.md", ROWS),
            ("crates/settled/src/lib.rs", "pub use abort::A;"),
            (
                "crates/settled/src/reason.rs",
                "use crate::{abort::{A, B}, reason::C};",
            ),
            ("crates/settled/src/abort.rs", "use crate::outcome::O;"),
            (
                "crates/settled/src/outcome/inner.rs",
                "use crate::reason::R;",
            ),
        ]);
        let found = check(&bad);
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found[0].contains("reason (row 1) must not use abort"));
    }

    #[test]
    fn rows_and_modules_have_to_be_the_same() {
        let bad = tree(&[
            ("ARCHITECTURE.md", ROWS),
            ("crates/settled/src/reason.rs", ""),
            ("crates/settled/src/abort.rs", ""),
            ("crates/settled/src/extra.rs", ""),
        ]);
        let found = check(&bad);
        assert_eq!(found.len(), 2, "{found:?}");
    }
}
