//! On what the figures were measured.

use std::path::Path;

use crate::peer::{Peer, Source, Toolbox};
use crate::reference::cores;
use crate::tool::Ready;

/// The machine and the versions of the peers, one line.
#[must_use]
pub fn line(ready: &[Ready<'_>], others: &[&Peer], dir: &Path, toolbox: &Toolbox) -> String {
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let release = release.trim_end();
    let mut line = format!("{} cores", cores());
    if let Some(model) = field("/proc/cpuinfo", "model name") {
        line += &format!(" ({model})");
    }
    if let Some(memory) = field("/proc/meminfo", "MemTotal").and_then(|text| gib(&text)) {
        line += &format!(", {memory} GiB");
    }
    line += &format!(", Linux {release}, files in {}", dir.display());
    let mut versions: Vec<String> = Vec::new();
    let rows = ready
        .iter()
        .map(|ready| (&ready.tool.peer, Some(ready.program.clone())));
    let others = others.iter().map(|peer| (*peer, toolbox.find(peer).ok()));
    for (peer, program) in rows.chain(others) {
        let Some(program) = program else { continue };
        if peer.source == Source::Reference {
            continue;
        }
        let version = toolbox
            .version(peer, &program)
            .unwrap_or_else(|| "?".into());
        let version = format!("{} {version}", peer.name);
        if !versions.contains(&version) {
            versions.push(version);
        }
    }
    if versions.is_empty() {
        line
    } else {
        format!("{line}; {}", versions.join(", "))
    }
}

/// The versions of these crates that the references were built with.
#[must_use]
pub fn crates(names: &[&str]) -> String {
    let lock = include_str!("../../../Cargo.lock");
    let version = |name: &str| {
        let entry = lock.split_once(&format!("name = \"{name}\"\nversion = \""))?;
        entry.1.split('"').next()
    };
    let versions = names
        .iter()
        .filter_map(|name| Some(format!("{name} {}", version(name)?)));
    versions.collect::<Vec<_>>().join(", ")
}

/// How many wanted to run during the last minute.
#[must_use]
pub fn load() -> String {
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    load.split_whitespace().next().unwrap_or("?").to_owned()
}

/// The value of the first `name: value` line of a file.
#[must_use]
pub fn field(file: &str, name: &str) -> Option<String> {
    let text = std::fs::read_to_string(file).ok()?;
    let mut lines = text.lines().filter_map(|line| line.split_once(':'));
    let (_, value) = lines.find(|(key, _)| key.trim() == name)?;
    Some(value.trim().to_owned())
}

fn gib(kib: &str) -> Option<u64> {
    let kib: f64 = kib.split_whitespace().next()?.parse().ok()?;
    Some((kib / 1024.0 / 1024.0).round() as u64)
}
