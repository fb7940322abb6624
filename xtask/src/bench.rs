//! `cargo xtask bench TABLE`: builds what is measured, then becomes the harness of settled-bench.

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

/// The library's rows are built as those who use it build it: with unwinding, which costs something.
const LIBRARY_PROFILE: [&str; 2] = [
    "profile.library.inherits='release'",
    "profile.library.codegen-units=1",
];

/// Tables of the library: no binary of settled is measured, and other references are.
const LIBRARY: [&str; 5] = ["all", "cancel", "map", "semaphore", "timeout"];

/// Builds settled (unless `--settled PATH` names another binary), the references and the harness,
/// and runs it with `args`. Returns only if that failed: the harness takes this process over, so
/// that Ctrl-C is its own to handle.
pub(crate) fn run(args: &[String]) -> Result<(), String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let target = target_dir(&root);
    let table = args.first().map(String::as_str);
    let mut harness = if table.is_some_and(|table| LIBRARY.contains(&table)) {
        references(&root, "library", "library", &LIBRARY_PROFILE)?;
        let mut harness = Command::new(target.join("library/settled-bench"));
        harness.args(args);
        harness
    } else {
        let settled = settled(args, &root, &target)?;
        references(&root, "peers", "reference", &PROFILE)?;
        let mut harness = Command::new(target.join("reference/settled-bench"));
        harness.args(args);
        if let Some(settled) = settled {
            harness.arg("--settled").arg(settled);
        }
        harness
    };
    Err(format!("starting the harness: {}", harness.exec()))
}

/// The binary of settled, freshly built; `None` if `args` name another one, or if nothing is to run.
fn settled(args: &[String], root: &Path, target: &Path) -> Result<Option<PathBuf>, String> {
    let given = |arg: &String| arg == "--settled" || arg.starts_with("--settled=");
    let help = |arg: &String| ["help", "--help", "-h"].contains(&arg.as_str());
    if args.is_empty() || args.iter().any(|arg| given(arg) || help(arg)) {
        return Ok(None);
    }
    build(root, &["--release", "--package", "settled-cli"])?;
    Ok(Some(target.join("release/settled")))
}

fn references(root: &Path, feature: &str, profile: &str, config: &[&str]) -> Result<(), String> {
    let mut args = vec!["--package", "settled-bench", "--bins"];
    args.extend(["--features", feature, "--profile", profile]);
    args.extend(config.iter().flat_map(|setting| ["--config", setting]));
    build(root, &args)
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
