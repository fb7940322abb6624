//! Links inside the project lead somewhere.

use super::tree::Tree;
use crate::markdown::{anchors, links};

pub(super) fn check(tree: &Tree) -> Vec<String> {
    let mut found = Vec::new();
    for file in tree.ending_with(".md") {
        for (line, link) in links(&file.text) {
            if let Err(why) = follow(tree, &file.path, &link) {
                found.push(format!("{}:{line}: {link}: {why}", file.path));
            }
        }
    }
    found
}

fn follow(tree: &Tree, from: &str, link: &str) -> Result<(), &'static str> {
    if link.contains("://") || link.starts_with("mailto:") {
        return Ok(());
    }
    let (path, anchor) = link.split_once('#').unwrap_or((link, ""));
    let path = if path.is_empty() {
        from.to_owned()
    } else {
        resolve(from, path).ok_or("it leaves the project")?
    };
    let Some(file) = tree.get(&path) else {
        let folder = format!("{}/", path.trim_end_matches('/'));
        let is_folder = tree.under(&folder).next().is_some();
        return if is_folder {
            Ok(())
        } else {
            Err("there is no such file")
        };
    };
    if anchor.is_empty()
        || !path.ends_with(".md")
        || anchors(&file.text).iter().any(|a| a == anchor)
    {
        Ok(())
    } else {
        Err("there is no such heading")
    }
}

/// A relative path, from a file's folder. `None`: it leaves the project.
fn resolve(from: &str, path: &str) -> Option<String> {
    let mut parts: Vec<&str> = from.split('/').collect();
    parts.pop();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()?),
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::super::tree::tree;
    use super::*;

    #[test]
    fn links_that_lead_nowhere_are_found() {
        let bad = tree(&[
            (
                "README.md",
                "# A b\n[1](docs/x.md) [2](docs/no.md) [3](#a-b) [4](docs/x.md#gone) [5](../out.md) [6](docs) [7](https://a.example)",
            ),
            ("docs/x.md", "## Here\n[8](../README.md#a-b) [9](x.md#here)"),
        ]);
        let found = check(&bad);
        assert_eq!(found.len(), 3, "{found:?}");
    }
}
