//! The programs that are measured: where they come from, where they are, and which version it is.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A program, or an interpreter with a library.
#[derive(Debug)]
pub struct Peer {
    /// What it is called in messages and in the line of versions.
    pub name: &'static str,
    /// Where it comes from.
    pub source: Source,
    /// Arguments that make it print its version.
    pub version: &'static [&'static str],
}

/// Where a program comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// Debian's package of this name.
    Apt(&'static str),
    /// The crate of this name.
    Cargo(&'static str),
    /// PyPI's package of this name, in a virtual environment.
    Python(&'static str),
    /// npm's packages, the measured one first.
    Node(&'static [&'static str]),
    /// A reference program of this crate.
    Reference,
    /// settled itself.
    Settled,
}

/// GNU parallel.
pub const PARALLEL: Peer = apt("parallel", "parallel", &["--version"]);
/// xargs of findutils.
pub const XARGS: Peer = apt("xargs", "findutils", &["--version"]);
/// curl.
pub const CURL: Peer = apt("curl", "curl", &["--version"]);
/// wget2.
pub const WGET2: Peer = apt("wget2", "wget2", &["--version"]);
/// aria2.
pub const ARIA2: Peer = apt("aria2c", "aria2", &["--version"]);
/// wrk.
pub const WRK: Peer = apt("wrk", "wrk", &["-v"]);
/// nginx.
pub const NGINX: Peer = apt("nginx", "nginx-light", &["-v"]);
/// The C compiler that builds the static child.
pub const CC: Peer = apt("cc", "gcc", &["-dumpfullversion"]);
/// oha.
pub const OHA: Peer = Peer {
    name: "oha",
    source: Source::Cargo("oha"),
    version: &["--version"],
};
/// rust-parallel.
pub const RUST_PARALLEL: Peer = Peer {
    name: "rust-parallel",
    source: Source::Cargo("rust-parallel"),
    version: &["--version"],
};
/// Python with aiohttp.
pub const AIOHTTP: Peer = python(
    "aiohttp",
    &["-c", "import aiohttp; print(aiohttp.__version__)"],
);
/// Python with aiohttp and uvloop.
pub const UVLOOP: Peer = python(
    "uvloop",
    &["-c", "import aiohttp, uvloop; print(uvloop.__version__)"],
);
/// Python with httpx.
pub const HTTPX: Peer = python("httpx", &["-c", "import httpx; print(httpx.__version__)"]);
/// node with undici and p-limit.
pub const UNDICI: Peer = Peer {
    name: "undici",
    source: Source::Node(&["undici@7", "p-limit@5"]),
    version: &[
        "-p",
        "require(process.env.BENCH_NODE + '/node_modules/undici/package.json').version",
    ],
};
/// node with its own fetch, and p-limit.
pub const NODE: Peer = Peer {
    name: "node",
    source: Source::Node(&["undici@7", "p-limit@5"]),
    version: &["--version"],
};
/// node, and nothing else.
pub const NODE_ALONE: Peer = apt("node", "nodejs", &["--version"]);
/// Python, and nothing else.
pub const PYTHON: Peer = apt("python3", "python3", &["--version"]);
/// settled.
pub const SETTLED: Peer = Peer {
    name: "settled",
    source: Source::Settled,
    version: &["--version"],
};

/// A reference program of this crate.
#[must_use]
pub const fn reference(name: &'static str) -> Peer {
    Peer {
        name,
        source: Source::Reference,
        version: &[],
    }
}

const fn apt(name: &'static str, package: &'static str, version: &'static [&'static str]) -> Peer {
    Peer {
        name,
        source: Source::Apt(package),
        version,
    }
}

const fn python(name: &'static str, version: &'static [&'static str]) -> Peer {
    Peer {
        name,
        source: Source::Python(name),
        version,
    }
}

/// Where peers are looked for.
#[derive(Debug)]
pub struct Toolbox {
    /// What was installed for the bench: `bin`, `py`, `node`.
    pub dir: PathBuf,
    /// The folder of the reference programs.
    pub references: PathBuf,
    /// The binary of settled.
    pub settled: PathBuf,
}

impl Toolbox {
    /// The program to start for a peer.
    ///
    /// # Errors
    /// Why it is not to be had, and what would help.
    pub fn find(&self, peer: &Peer) -> Result<PathBuf, String> {
        match peer.source {
            Source::Apt(package) => self.on_path(peer.name).ok_or_else(|| {
                format!(
                    "{} not found (--install, or apt-get install {package})",
                    peer.name
                )
            }),
            Source::Cargo(package) => self.on_path(peer.name).ok_or_else(|| {
                format!(
                    "{} not found (--install, or cargo install {package})",
                    peer.name
                )
            }),
            Source::Python(package) => self.python(peer, package),
            Source::Node(packages) => self.node(packages),
            Source::Reference => Some(self.references.join(peer.name))
                .filter(|path| path.is_file())
                .ok_or_else(|| "not built (cargo build -p settled-bench --features peers)".into()),
            Source::Settled => std::path::absolute(&self.settled)
                .ok()
                .filter(|path| path.is_file())
                .ok_or_else(|| format!("no such file: {}", self.settled.display())),
        }
    }

    /// The version that a found peer says it is.
    #[must_use]
    pub fn version(&self, peer: &Peer, program: &Path) -> Option<String> {
        let said = self
            .command(program)
            .args(peer.version)
            .stdin(Stdio::null())
            .output()
            .ok()?;
        let text = [said.stdout, said.stderr].concat();
        version_in(&String::from_utf8_lossy(&text))
    }

    /// A command with what the interpreters need in its environment.
    #[must_use]
    pub fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        // GNU parallel asks to be cited unless it finds that it was told not to; PARALLEL_HOME is
        // where it looks.
        command
            .env("BENCH_NODE", self.dir.join("node"))
            .env("PARALLEL_HOME", self.parallel_home());
        command
    }

    /// The folder of GNU parallel's settings; `will-cite` in it keeps it quiet.
    #[must_use]
    pub fn parallel_home(&self) -> PathBuf {
        self.dir.join("parallel")
    }

    fn on_path(&self, name: &str) -> Option<PathBuf> {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let own = self.dir.join("bin");
        let folders = std::iter::once(own).chain(std::env::split_paths(&path));
        // nginx is where an ordinary user's PATH does not lead.
        let folders = folders.chain(["/usr/sbin".into(), "/usr/local/sbin".into()]);
        folders
            .map(|folder| folder.join(name))
            .find(|file| file.is_file())
    }

    fn python(&self, peer: &Peer, package: &str) -> Result<PathBuf, String> {
        let own = self.dir.join("py/bin/python3");
        let found = if own.is_file() {
            Some(own)
        } else {
            self.on_path("python3")
        };
        found
            .filter(|python| self.version(peer, python).is_some())
            .ok_or_else(|| format!("no python3 with {package} (--install)"))
    }

    fn node(&self, packages: &[&str]) -> Result<PathBuf, String> {
        let node = self
            .on_path("node")
            .ok_or("node not found (apt-get install nodejs npm)")?;
        let names = packages
            .iter()
            .filter_map(|package| package.split('@').next());
        for name in names {
            if !self.dir.join("node/node_modules").join(name).is_dir() {
                return Err(format!("no {name} for node (--install)"));
            }
        }
        Ok(node)
    }
}

/// The first word of a text that looks like a version: from its first digit on.
fn version_in(text: &str) -> Option<String> {
    let mut words = text.split(|c: char| c.is_whitespace() || c == '/');
    let version = words.find_map(|word| {
        let word = word.strip_prefix('v').unwrap_or(word);
        let long = word.len() >= 3 && word.starts_with(|c: char| c.is_ascii_digit());
        long.then(|| word.trim_end_matches([',', ')', ':']))
    })?;
    Some(version.to_owned())
}

#[cfg(test)]
mod tests {
    use super::version_in;

    #[test]
    fn versions_are_found_in_what_tools_say() {
        for (said, version) in [
            ("nginx version: nginx/1.22.1", "1.22.1"),
            (
                "wrk debian/4.1.0-3+b2 [epoll] Copyright (C) 2012 Will Glozer",
                "4.1.0-3+b2",
            ),
            ("GNU parallel 20221122\nCopyright (C) 2007", "20221122"),
            ("xargs (GNU findutils) 4.9.0", "4.9.0"),
            ("v20.20.2\n", "20.20.2"),
            ("curl 7.88.1 (x86_64-pc-linux-gnu) libcurl/7.88.1", "7.88.1"),
        ] {
            assert_eq!(version_in(said).as_deref(), Some(version));
        }
        assert_eq!(version_in("ModuleNotFoundError: No module named 'x'"), None);
    }
}
