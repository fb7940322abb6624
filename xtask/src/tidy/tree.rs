//! The files of the project, read once.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::rust;

/// Every text file that is part of the project: what git tracks, and what it would track if it were added.
#[derive(Debug, Default)]
pub(crate) struct Tree {
    pub(crate) files: Vec<File>,
}

/// A text file.
#[derive(Debug)]
pub(crate) struct File {
    /// From the workspace's folder.
    pub(crate) path: String,
    pub(crate) text: String,
    /// Of Rust files: the text without comments and without what stands in strings, line by line as it was.
    pub(crate) code: String,
}

impl Tree {
    /// Reads the files. Those that are no text are left out.
    pub(crate) fn load(root: &Path) -> Result<Self, String> {
        let listed = Command::new("git")
            .current_dir(root)
            .args([
                "ls-files",
                "-z",
                "--cached",
                "--others",
                "--exclude-standard",
            ])
            .output()
            .map_err(|error| format!("git ls-files: {error}"))?;
        if !listed.status.success() {
            let why = String::from_utf8_lossy(&listed.stderr);
            return Err(format!("git ls-files: {why}"));
        }
        let paths = String::from_utf8_lossy(&listed.stdout);
        let files = paths.split_terminator('\0').filter_map(|path| {
            // A file that was deleted and not yet committed as such is still listed.
            let text = fs::read_to_string(root.join(path)).ok()?;
            Some(File::new(path, text))
        });
        Ok(Self {
            files: files.collect(),
        })
    }

    pub(crate) fn get(&self, path: &str) -> Option<&File> {
        self.files.iter().find(|file| file.path == path)
    }

    pub(crate) fn ending_with(&self, end: &str) -> impl Iterator<Item = &File> {
        self.files
            .iter()
            .filter(move |file| file.path.ends_with(end))
    }

    pub(crate) fn under(&self, folder: &str) -> impl Iterator<Item = &File> {
        self.files
            .iter()
            .filter(move |file| file.path.starts_with(folder))
    }
}

impl File {
    pub(crate) fn new(path: &str, text: String) -> Self {
        let is_rust = path.ends_with(".rs");
        Self {
            path: path.to_owned(),
            code: if is_rust {
                rust::code(&text)
            } else {
                String::new()
            },
            text,
        }
    }

    /// The file's name without `.rs`.
    pub(crate) fn stem(&self) -> &str {
        let name = self.path.rsplit('/').next().unwrap_or(&self.path);
        name.strip_suffix(".rs").unwrap_or(name)
    }
}

#[cfg(test)]
pub(crate) fn tree(files: &[(&str, &str)]) -> Tree {
    let files = files
        .iter()
        .map(|(path, text)| File::new(path, (*text).to_owned()));
    Tree {
        files: files.collect(),
    }
}
