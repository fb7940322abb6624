//! `cargo xtask bench fetch | spawn | list`: builds what is measured, then becomes the harness of
//! settled-bench.

use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The references are built as fast as the compiler can make them, beside the release build and not
/// in place of it.
const PROFILE: [&str; 3] = [
    "profile.reference.inherits='release'",
    "profile.reference.codegen-units=1",
    "profile.reference.panic='abort'",
];

/// Builds settled (unless `--settled PATH` names another binary), the references and the harness,
/// and runs it with `args`. Returns only if that failed: the harness takes this process over, so
/// that Ctrl-C is its own to handle.
pub(crate) fn run(args: &[String]) -> Result<(), String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let target = target_dir(&root);
    let given = args
        .iter()
        .any(|arg| arg == "--settled" || arg.starts_with("--settled="));
    let help = args.is_empty()
        || args
            .iter()
            .any(|arg| ["help", "--help", "-h"].contains(&arg.as_str()));
    if !given && !help {
        build(&root, &["--release", "--package", "settled-cli"])?;
    }
    let mut references = vec![
        "--package",
        "settled-bench",
        "--bins",
        "--features",
        "peers",
    ];
    references.extend(["--profile", "reference"]);
    references.extend(PROFILE.iter().flat_map(|setting| ["--config", setting]));
    build(&root, &references)?;
    let mut harness = Command::new(target.join("reference/settled-bench"));
    harness.args(args);
    if !given && !help {
        harness.arg("--settled").arg(target.join("release/settled"));
    }
    Err(format!("starting the harness: {}", harness.exec()))
}

fn target_dir(root: &Path) -> PathBuf {
    match std::env::var_os("CARGO_TARGET_DIR") {
        // Cargo takes a relative one from where it was called; so does this.
        Some(dir) => PathBuf::from(dir),
        None => root.join("target"),
    }
}

fn build(root: &Path, args: &[&str]) -> Result<(), String> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command
        .arg("build")
        .args(args)
        .arg("--manifest-path")
        .arg(root.join("Cargo.toml"));
    let status = command
        .status()
        .map_err(|error| format!("cargo build: {error}"))?;
    if status.success() {
        Ok(())
    } else {
        Err(format!("cargo build {}: {status}", args.join(" ")))
    }
}
