//! Who may depend on whom, from the manifests.

use super::tree::Tree;

/// A crate of ours, which of ours it may use, and which only in its tests.
const ALLOWED: [(&str, &[&str], &[&str]); 7] = [
    // Its own tests turn on a feature of it by naming it.
    ("settled", &[], &["settled"]),
    ("settled-jobs", &["settled"], &["settled-testserver"]),
    (
        "settled-cli",
        &["settled", "settled-jobs", "settled-testserver"],
        &[],
    ),
    // Its own tests turn on a feature of it by naming it.
    ("settled-testserver", &[], &["settled-testserver"]),
    ("settled-bench", &["settled"], &[]),
    ("settled-hazards", &[], &["settled"]),
    ("xtask", &[], &[]),
];

/// What the library must not bring along: HTTP, serialisation, a command line.
const NOT_IN_THE_LIBRARY: [&str; 8] = [
    "http", "hyper", "reqwest", "rustls", "tower", "serde", "clap", "url",
];

pub(super) fn check(tree: &Tree) -> Vec<String> {
    let mut found = Vec::new();
    let manifests = tree
        .ending_with("/Cargo.toml")
        .map(|file| (file.path.as_str(), Manifest::read(&file.text)));
    for (path, manifest) in manifests {
        let Some((_, normal, dev)) = ALLOWED.iter().find(|(name, ..)| *name == manifest.name)
        else {
            found.push(format!(
                "{path}: {} has no row among the layers (xtask/src/tidy/layers.rs)",
                manifest.name
            ));
            continue;
        };
        for (dependency, in_tests) in &manifest.dependencies {
            let ours = ALLOWED.iter().any(|(name, ..)| name == dependency);
            let allowed = normal.contains(&dependency.as_str())
                || (*in_tests && dev.contains(&dependency.as_str()));
            if ours && !allowed {
                found.push(format!(
                    "{path}: {} must not depend on {dependency}",
                    manifest.name
                ));
            }
            if manifest.name == "settled" && is_foreign_to_the_library(dependency) {
                found.push(format!("{path}: {dependency} has no place in the library"));
            }
        }
    }
    found
}

fn is_foreign_to_the_library(dependency: &str) -> bool {
    NOT_IN_THE_LIBRARY
        .iter()
        .any(|name| dependency == *name || dependency.starts_with(&format!("{name}-")))
}

/// What matters of a manifest.
#[derive(Debug, Default)]
struct Manifest {
    name: String,
    /// Names, and whether only tests have them.
    dependencies: Vec<(String, bool)>,
}

impl Manifest {
    /// Reads the sections line by line, as they are written here: a dependency a line, or a section each.
    fn read(text: &str) -> Self {
        let mut manifest = Self::default();
        let mut section = "";
        for line in text.lines().map(str::trim) {
            if let Some(name) = line.strip_prefix('[') {
                section = name.trim_matches(['[', ']']);
                if let Some((table, dependency)) = section.rsplit_once("dependencies.") {
                    manifest.add(dependency, table.ends_with("dev-"));
                }
                continue;
            }
            let Some((key, value)) = line.split_once('=').filter(|_| !line.starts_with('#')) else {
                continue;
            };
            let key = key.trim();
            if section == "package" && key == "name" {
                manifest.name = value.trim().trim_matches('"').to_owned();
            } else if section.ends_with("dependencies") {
                manifest.add(key, section.ends_with("dev-dependencies"));
            }
        }
        manifest
    }

    fn add(&mut self, key: &str, in_tests: bool) {
        let name = key.split('.').next().unwrap_or(key);
        self.dependencies.push((name.to_owned(), in_tests));
    }
}

#[cfg(test)]
mod tests {
    use super::super::tree::tree;
    use super::*;

    #[test]
    fn a_dependency_up_the_layers_is_found() {
        let bad = tree(&[
            (
                "crates/settled/Cargo.toml",
                "[package]\nname = \"settled\"\n[dependencies]\nserde.workspace = true\n[target.'cfg(x)'.dependencies]\nsettled-jobs = { path = \"x\" }\n",
            ),
            (
                "crates/settled-jobs/Cargo.toml",
                "[package]\nname = \"settled-jobs\"\n[dependencies.settled-testserver]\nworkspace = true\n",
            ),
            (
                "crates/new/Cargo.toml",
                "[package]\nname = \"settled-new\"\n",
            ),
        ]);
        let found = check(&bad);
        assert_eq!(found.len(), 4, "{found:?}");
    }

    #[test]
    fn the_layers_as_they_are_pass() {
        let good = tree(&[(
            "crates/settled-jobs/Cargo.toml",
            "[package]\nname = \"settled-jobs\"\n[dependencies]\nsettled.workspace = true\nserde = \"1\"\n[dev-dependencies]\nsettled-testserver = { workspace = true }\n",
        )]);
        assert_eq!(check(&good), [""; 0]);
    }
}
