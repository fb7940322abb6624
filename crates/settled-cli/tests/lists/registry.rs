//! Every `.rs` file of the cargo registry.

use std::env;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::{collections::BTreeMap, fs};

use crate::{assert_code, kill_when_grown, outcomes, settled};

#[test]
fn sha256sum_gives_the_digests_that_it_gives_by_itself() {
    let files = sources();
    println!("{} files", files.len());
    assert!(
        files.len() > 1_000,
        "the registry's sources are not where they should be"
    );
    let dir = tempfile::tempdir().unwrap();
    let (list, ledger) = (dir.path().join("files.txt"), dir.path().join("sums.jsonl"));
    fs::write(&list, files.join("\n")).unwrap();
    let (list, out) = (list.to_str().unwrap(), ledger.to_str().unwrap());
    let args = [
        "run",
        "-q",
        "-i",
        list,
        "-o",
        out,
        "-j",
        "8",
        "--",
        "sha256sum",
        "{}",
    ];

    assert!(
        kill_when_grown(settled(&args), &ledger, 400_000),
        "it was over before it could be killed"
    );
    let before = fs::read(&ledger).unwrap();
    assert_code(settled(&args).status().unwrap(), 0);

    let whole = before.iter().rposition(|&byte| byte == b'\n').unwrap() + 1;
    assert_eq!(
        fs::read(&ledger).unwrap()[..whole],
        before[..whole],
        "what was committed has changed"
    );
    let ours = outcomes(&ledger);
    assert_eq!(ours.len(), files.len());
    let theirs = digests(&files);
    for (file, n) in files.iter().zip(1u64..) {
        let line = &ours[&n.to_string()];
        assert_eq!(
            (line["outcome"].as_str(), line["input"].as_str()),
            (Some("fulfilled"), Some(file.as_str()))
        );
        assert_eq!(line["result"]["stdout"].as_str().unwrap(), theirs[file]);
    }
}

/// Every `.rs` file below the registry's sources.
fn sources() -> Vec<String> {
    let home = env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home
        .or_else(|| Some(PathBuf::from(env::var_os("HOME")?).join(".cargo")))
        .unwrap();
    let mut files = Vec::new();
    let mut dirs = vec![home.join("registry/src")];
    while let Some(dir) = dirs.pop() {
        for entry in fs::read_dir(dir).unwrap() {
            let (path, kind) = entry
                .map(|entry| (entry.path(), entry.file_type().unwrap()))
                .unwrap();
            if kind.is_dir() {
                dirs.push(path);
            } else if kind.is_file() && path.extension().is_some_and(|extension| extension == "rs")
            {
                files.push(path.into_os_string().into_string().unwrap());
            }
        }
    }
    files.sort_unstable();
    files
}

/// What `sha256sum` says of each file, all in a few processes.
fn digests(files: &[String]) -> BTreeMap<String, String> {
    let mut xargs = Command::new("xargs");
    let mut xargs = xargs
        .args(["-0", "sha256sum"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut to = xargs.stdin.take().unwrap();
    let names = files.join("\0");
    let writer = std::thread::spawn(move || to.write_all(names.as_bytes()).unwrap());
    let output = xargs.wait_with_output().unwrap();
    writer.join().unwrap();
    let lines = String::from_utf8(output.stdout).unwrap();
    // `digest`, two spaces, the name.
    lines
        .lines()
        .map(|line| (line[66..].to_owned(), format!("{line}\n")))
        .collect()
}
