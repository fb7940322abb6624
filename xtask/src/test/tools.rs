//! What some tests start that is no part of the project: a server to fetch real lists from, ways to cause a fault.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::exec;

/// A tool, the Debian package that it is in, and what is there once it is installed: a program, or a file.
struct Tool {
    name: &'static str,
    package: &'static str,
    files: &'static [&'static str],
}

const TOOLS: [Tool; 5] = [
    Tool {
        name: "nginx",
        package: "nginx-light",
        files: &["nginx"],
    },
    Tool {
        name: "strace",
        package: "strace",
        files: &["strace"],
    },
    Tool {
        name: "jq",
        package: "jq",
        files: &["jq"],
    },
    Tool {
        name: "groff",
        package: "groff-base",
        files: &["groff"],
    },
    Tool {
        name: "libfaketime",
        package: "libfaketime",
        files: &[
            "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1",
            "/usr/lib/aarch64-linux-gnu/faketime/libfaketimeMT.so.1",
            "/usr/lib64/faketime/libfaketimeMT.so.1",
        ],
    },
];

/// Installs what is missing, where that is possible. It is no failure where it isn't: tests that need a tool say that they were
/// left out, and nothing else depends on it.
pub(crate) fn install() -> Result<String, String> {
    let missing: Vec<&Tool> = TOOLS.iter().filter(|tool| !tool.is_there()).collect();
    if missing.is_empty() {
        return Ok(format!("all {} are there", TOOLS.len()));
    }
    let packages: Vec<_> = missing.iter().map(|tool| tool.package).collect();
    let packages = packages.join(" ");
    if !is_root() || !finds("apt-get") {
        return Ok(format!(
            "tests that need them are left out, as these packages can't be installed from here (that takes root and apt-get): \
             {packages}"
        ));
    }
    let installed = apt_get(&["update"]).and_then(|()| {
        let install = ["install", "--yes", "--no-install-recommends"];
        let packages = missing.iter().map(|tool| tool.package);
        apt_get(&install.into_iter().chain(packages).collect::<Vec<_>>())
    });
    if let Err(why) = installed {
        return Ok(format!("tests that need {packages} are left out: {why}"));
    }
    match missing.iter().find(|tool| !tool.is_there()) {
        None => Ok(format!("installed: {packages}")),
        Some(tool) => Err(format!(
            "{} was installed, and there still is no {}",
            tool.package, tool.name
        )),
    }
}

fn apt_get(args: &[&str]) -> Result<(), String> {
    let mut command = Command::new("apt-get");
    command.arg("-qq").args(args);
    exec::run(command.env("DEBIAN_FRONTEND", "noninteractive"))
}

fn is_root() -> bool {
    Path::new("/proc/self")
        .metadata()
        .is_ok_and(|me| me.uid() == 0)
}

impl Tool {
    fn is_there(&self) -> bool {
        self.files.iter().any(|file| finds(file))
    }
}

/// Whether there is such a program, or file. Debian keeps servers where only root's PATH looks.
fn finds(file: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut folders = std::env::split_paths(&path).chain([PathBuf::from("/usr/sbin")]);
    // A path from the root stays itself whatever it is joined to.
    folders.any(|folder| folder.join(file).is_file())
}
