//! A file that is no ledger is never touched, and never read as a whole to find that out.

use std::fs::File;
use std::process::Command;

use crate::tool::Folder;

#[test]
fn a_huge_file_without_a_line_end_is_refused_in_little_memory() {
    let (folder, huge) = (Folder::new(), 3 << 30);
    let path = folder.join("huge");
    let made = File::create(&path).and_then(|file| file.set_len(huge));
    made.expect("a file with a hole");
    let ran = Command::new("sh")
        .args(["-c", r#"ulimit -v 1000000; exec "$0" run -o "$1" -- true"#])
        .arg(env!("CARGO_BIN_EXE_settled"))
        .arg(&path)
        .output()
        .expect("settled runs");
    let said = String::from_utf8_lossy(&ran.stderr);
    assert_eq!(ran.status.code(), Some(4), "{said}");
    assert!(said.contains("is no ledger"), "{said}");
    assert_eq!(path.metadata().expect("it is there").len(), huge);
}
