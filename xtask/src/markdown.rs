//! Just enough of Markdown: code blocks, links, headings.

/// A fenced block of code.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Block<'a> {
    /// What stands after the fence.
    pub(crate) language: &'a str,
    /// The number of its first line.
    pub(crate) line: usize,
    pub(crate) text: String,
}

/// The blocks of code of a text.
pub(crate) fn blocks(text: &str) -> Vec<Block<'_>> {
    let mut found = Vec::new();
    let mut open: Option<Block<'_>> = None;
    for (number, line) in (1..).zip(text.lines()) {
        let fence = line.trim_start().strip_prefix("```");
        match (&mut open, fence) {
            (Some(_), Some(_)) => found.extend(open.take()),
            (Some(block), None) => {
                block.text.push_str(line);
                block.text.push('\n');
            }
            (None, Some(language)) => {
                open = Some(Block {
                    language: language.trim(),
                    line: number + 1,
                    text: String::new(),
                });
            }
            (None, None) => {}
        }
    }
    found
}

/// Where the links outside of code lead, with their line numbers.
pub(crate) fn links(text: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (number, line) in prose(text) {
        let mut rest = line.as_str();
        while let Some((_, after)) = rest.split_once("](") {
            let target = after.split([')', ' ']).next().unwrap_or_default();
            found.push((number, target.to_owned()));
            rest = after;
        }
        let definition = line
            .strip_prefix('[')
            .and_then(|line| line.split_once("]: "));
        found.extend(definition.map(|(_, target)| (number, target.trim().to_owned())));
    }
    found
}

/// The anchors that headings make.
pub(crate) fn anchors(text: &str) -> Vec<String> {
    let headings = prose(text);
    let headings = headings.iter().filter_map(|(_, line)| {
        let title = line.trim_start_matches('#');
        (title.len() < line.len() && title.starts_with(' ')).then_some(title.trim())
    });
    let anchor = |title: &str| {
        let kept = title
            .chars()
            .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
        kept.map(|c| if c == ' ' { '-' } else { c })
            .collect::<String>()
            .to_lowercase()
    };
    headings.map(anchor).collect()
}

/// Lines that are no code; inside a line, code in backticks is left out where it could hold a link.
fn prose(text: &str) -> Vec<(usize, String)> {
    let mut fenced = false;
    let mut found = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        } else if !fenced && line.starts_with('#') {
            found.push((number, line.to_owned()));
        } else if !fenced {
            let outside = line.split('`').step_by(2);
            found.push((number, outside.collect::<Vec<_>>().join("`")));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "# A title, with `code`\n\nSee [the docs](docs/a.md#top) and [b](b.md \"B\").\n\n```sh\nls [x](no.md)\n```\n\
                        `[y](no.md)`\n\n[ref]: c.md\n";

    #[test]
    fn code_is_no_prose() {
        let found = blocks(TEXT);
        assert_eq!(found.len(), 1);
        assert_eq!(
            (found[0].language, found[0].line, found[0].text.as_str()),
            ("sh", 6, "ls [x](no.md)\n")
        );
    }

    #[test]
    fn links_and_headings_are_found() {
        let links = links(TEXT);
        let targets: Vec<_> = links.iter().map(|(_, target)| target.as_str()).collect();
        assert_eq!(targets, ["docs/a.md#top", "b.md", "c.md"]);
        assert_eq!(anchors(TEXT), ["a-title-with-code"]);
    }
}
