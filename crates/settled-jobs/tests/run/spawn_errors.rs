//! Commands that can't be started: one failure each, which says what to do.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use settled_jobs::run::{RunConfig, Spawner};
use settled_jobs::{ErrorKind, Failure};

use crate::support::{BOTH, attempt, config, output, with};

fn refused(config: &RunConfig, spawner: Spawner, bytes: &[u8]) -> Failure {
    let tried = attempt(&with(config, spawner), bytes);
    assert!(tried.result.is_none() && !tried.abandoned);
    let failure = tried.error.expect("a failure");
    assert_eq!((failure.kind, failure.retry), (ErrorKind::Spawn, false));
    failure
}

/// Written by another process: while ours has it open for writing, a child that is started at that moment has it too, and it
/// can't be executed.
fn script(path: &Path, text: &str, mode: u32) {
    let status = std::process::Command::new("sh")
        .args(["-c", "printf '%s' \"$2\" > \"$1\"", "sh"])
        .arg(path)
        .arg(text)
        .status();
    assert!(status.expect("sh").success());
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("a mode");
}

#[test]
fn a_command_that_is_not_there_says_so() {
    for spawner in BOTH {
        let message = |program: &str| refused(&config(&[program]), spawner, b"x").message;
        assert_eq!(
            message("no-such-command"),
            "command not found: no-such-command"
        );
        assert_eq!(
            message("/no/such/command"),
            "command not found: /no/such/command"
        );
        assert_eq!(message("/etc/passwd/x"), "command not found: /etc/passwd/x");
        let empty = with(&config(&["{2}"]), spawner);
        assert_eq!(
            attempt(&empty, b"a\t").error.expect("a failure").message,
            "command not found: "
        );
    }
}

#[test]
fn a_command_that_can_not_be_executed_says_so() {
    let dir = tempfile::tempdir().expect("a directory");
    let (plain, orphan) = (dir.path().join("plain"), dir.path().join("orphan"));
    script(&plain, "echo hello", 0o644);
    script(&orphan, "#!/no/such/interpreter\n", 0o755);
    for spawner in BOTH {
        let message =
            |path: &Path| refused(&config(&[&path.to_string_lossy()]), spawner, b"x").message;
        assert_eq!(
            message(&plain),
            format!("permission denied: {} (is it executable?)", plain.display())
        );
        assert_eq!(
            message(dir.path()),
            format!(
                "permission denied: {} (is it executable?)",
                dir.path().display()
            )
        );
        assert_eq!(
            message(&orphan),
            format!(
                "can't run {}: its interpreter (#! line) was not found",
                orphan.display()
            )
        );
    }
}

#[test]
fn an_argument_list_that_is_too_long_says_so() {
    for spawner in BOTH {
        let message = refused(&config(&["echo"]), spawner, &vec![b'x'; 200 << 10]).message;
        assert!(
            message.starts_with("argument list too long: 204806 bytes for echo ("),
            "{message}"
        );
    }
}

#[test]
fn a_directory_that_is_not_there_says_so() {
    for spawner in BOTH {
        let run = RunConfig {
            append: false,
            ..config(&["pwd"])
        };
        let message =
            |cwd| refused(&run, spawner, format!(r#"{{"cwd":"{cwd}"}}"#).as_bytes()).message;
        assert_eq!(message("/no/such"), "no such directory (cwd): /no/such");
        assert_eq!(message("/etc/passwd"), "not a directory (cwd): /etc/passwd");
    }
}

/// As `execvp` does it: what is not allowed is passed over, a text without `#!` goes to the shell.
#[test]
fn the_path_is_searched_to_its_end() {
    let dir = tempfile::tempdir().expect("a directory");
    let [first, second] = ["first", "second"].map(|name| dir.path().join(name));
    for folder in [&first, &second] {
        fs::create_dir(folder).expect("a directory");
    }
    script(&first.join("tool"), "echo first", 0o644);
    script(&second.join("tool"), "echo second $0 $*", 0o755);
    script(&first.join("locked"), "", 0o644);
    let path = format!(
        "/no/such:{}:{}:/usr/bin:/bin",
        first.display(),
        second.display()
    );
    for spawner in BOTH {
        let line = |args: &str| format!(r#"{{"args":[{args}],"env":{{"PATH":"{path}"}}}}"#);
        let run = with(&config(&["tool"]), spawner);
        let expected = format!("second {} a b c\n", second.join("tool").display());
        assert_eq!(
            output(attempt(&run, line(r#""a","b c""#).as_bytes())),
            expected
        );
        let locked = refused(&config(&["locked"]), spawner, line("").as_bytes()).message;
        assert_eq!(locked, "permission denied: locked (is it executable?)");
        let relative = format!(
            r#"{{"args":[],"cwd":"{}","env":{{"PATH":".:/bin"}}}}"#,
            second.display()
        );
        assert!(output(attempt(&run, relative.as_bytes())).starts_with("second"));
        let slash = format!(r#"{{"args":[],"cwd":"{}"}}"#, dir.path().display());
        assert!(
            output(attempt(
                &with(&config(&["second/tool"]), spawner),
                slash.as_bytes()
            ))
            .starts_with("second")
        );
    }
}
