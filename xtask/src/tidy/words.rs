//! The project speaks of itself alone: not of the machine, the people or the tools that it was made with.

use super::tree::Tree;

/// The one file that has to name them.
const HERE: &str = "xtask/src/tidy/words.rs";

/// Any of these, as they stand.
const PHRASES: [&str; 8] = [
    "/work/",
    "/farm/",
    "../shared",
    "/.library",
    "issue #",
    "BRIEF.md",
    "as an AI",
    "co-authored-by",
];

/// These as whole words.
const WORDS: [&str; 4] = ["AI", "LLM", "Claude", "ChatGPT"];

pub(super) fn check(tree: &Tree) -> Vec<String> {
    let files = tree.files.iter().filter(|file| file.path != HERE);
    let lines = files.flat_map(|file| (1..).zip(file.text.lines()).map(move |line| (file, line)));
    let found = lines.filter_map(|(file, (number, line))| {
        let what = stray(line)?;
        Some(format!(
            "{}:{number}: `{what}` does not belong here",
            file.path
        ))
    });
    found.collect()
}

fn stray(line: &str) -> Option<&'static str> {
    let lower = line.to_lowercase();
    let phrase = PHRASES
        .iter()
        .find(|phrase| lower.contains(&phrase.to_lowercase()));
    let mut words = line.split(|c: char| !c.is_alphanumeric());
    phrase
        .copied()
        .or_else(|| words.find_map(|word| WORDS.into_iter().find(|stray| *stray == word)))
}

#[cfg(test)]
mod tests {
    use super::super::tree::tree;
    use super::*;

    #[test]
    fn words_of_the_workplace_are_found() {
        let bad = tree(&[
            ("a.md", "fine\nsee Issue #12\n"),
            ("b.rs", "// like /work/x\n"),
            ("c.md", "written by AI."),
            ("d.md", "AIMD and MAIL; it works/ fails; src/work.rs"),
        ]);
        let found = check(&bad);
        assert_eq!(found.len(), 3, "{found:?}");
    }
}
