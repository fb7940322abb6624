//! Getting the peers that are missing.

use std::path::Path;
use std::process::Command;

use crate::error::{Doing, Error, Result};
use crate::peer::{Peer, Source, Toolbox};

/// Installs those of the peers that can't be found: cargo, pip and npm packages into the toolbox,
/// Debian's packages by apt-get. A package that fails is said and left out: its tools are skipped
/// like any other that is missing.
///
/// # Errors
/// If the toolbox's folder can't be made.
pub fn missing(peers: &[&Peer], toolbox: &Toolbox) -> Result<()> {
    std::fs::create_dir_all(&toolbox.dir).doing("making the folder for peers")?;
    let missing: Vec<Source> = peers
        .iter()
        .filter(|peer| toolbox.find(peer).is_err())
        .map(|peer| peer.source)
        .collect();
    let mut done: Vec<Source> = Vec::new();
    for source in missing {
        if done.contains(&source) {
            continue;
        }
        done.push(source);
        for mut step in steps(source, &toolbox.dir) {
            if let Err(error) = run(&mut step) {
                eprintln!("not installed: {error}");
                break;
            }
        }
    }
    Ok(())
}

fn steps(source: Source, dir: &Path) -> Vec<Command> {
    let mut steps = Vec::new();
    let mut step = |program: &Path, args: &[&str]| {
        let mut command = Command::new(program);
        command.args(args);
        steps.push(command);
    };
    let path = |path: &Path| path.to_string_lossy().into_owned();
    match source {
        Source::Apt(package) => step(Path::new("apt-get"), &["install", "-y", package]),
        Source::Cargo(package) => {
            step(
                Path::new("cargo"),
                &["install", package, "--locked", "--root", &path(dir)],
            );
        }
        Source::Python(package) => {
            let venv = dir.join("py");
            if !venv.is_dir() {
                step(Path::new("python3"), &["-m", "venv", &path(&venv)]);
            }
            step(&venv.join("bin/pip"), &["install", package, "aiohttp"]);
        }
        Source::Node(packages) => {
            let args = ["install", "--prefix", &path(&dir.join("node"))];
            step(Path::new("npm"), &[&args[..], packages].concat());
        }
        Source::Reference | Source::Settled => {}
    }
    steps
}

fn run(command: &mut Command) -> Result<()> {
    let what = format!("{command:?}");
    eprintln!("installing: {what}");
    let status = command.status().doing(&what)?;
    if status.success() {
        Ok(())
    } else {
        Err(Error::Refused(format!("{what}: {status}")))
    }
}
