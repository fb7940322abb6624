//! Servers that tests fetch real lists from.

use std::path::Path;
use std::process::Command;

use crate::exec;

/// The program, and the Debian package that it is in.
const NGINX: (&str, &str) = ("nginx", "nginx-light");

/// Installs what is missing, where that is possible. It is no failure where it isn't: tests that need the server say so, and
/// nothing else depends on it.
pub(crate) fn install() -> Result<String, String> {
    let (program, package) = NGINX;
    if let Some(path) = find(program) {
        return Ok(format!("{program} is {path}"));
    }
    let root = Path::new("/proc/self").metadata().is_ok_and(|me| {
        use std::os::unix::fs::MetadataExt;
        me.uid() == 0
    });
    if !root || find("apt-get").is_none() {
        return Ok(format!(
            "there is no {program} and it can't be installed from here (that takes root and apt-get): tests that need it are \
             left out; the package is {package}"
        ));
    }
    let apt_get = |args: &[&str]| {
        exec::run(
            Command::new("apt-get")
                .args(args)
                .env("DEBIAN_FRONTEND", "noninteractive"),
        )
    };
    apt_get(&["-qq", "update"])?;
    apt_get(&[
        "-qq",
        "install",
        "--yes",
        "--no-install-recommends",
        package,
    ])?;
    find(program)
        .map(|path| format!("{program} was installed as {path}"))
        .ok_or_else(|| format!("{package} was installed, and there still is no {program}"))
}

/// Where a program is; Debian keeps servers where only root's PATH looks.
fn find(program: &str) -> Option<String> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(["/usr/sbin".into()]);
    let mut found = folders
        .map(|folder| folder.join(program))
        .filter(|path| path.is_file());
    found.next().map(|path| path.display().to_string())
}
