//! What a command finds around it when it starts.

use std::collections::BTreeMap;
use std::os::fd::AsRawFd;

use settled_jobs::run::RunConfig;

use crate::support::{BOTH, alive, attempt, config, output, with};

fn plain(args: &[&str]) -> RunConfig {
    RunConfig {
        append: false,
        ..config(args)
    }
}

const SIGPIPE: u64 = 1 << (libc::SIGPIPE - 1);

fn fields(status: &str) -> BTreeMap<String, String> {
    let field = |line: &str| {
        line.split_once(":\t")
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
    };
    status.lines().filter_map(field).collect()
}

fn signals(set: &str) -> u64 {
    u64::from_str_radix(set, 16).expect("a set of signals")
}

#[test]
fn signals_are_at_their_defaults_and_none_is_blocked() {
    for spawner in BOTH {
        // This process ignores SIGPIPE, as every Rust program does, and has handlers of its own.
        let ours = fields(&std::fs::read_to_string("/proc/self/status").expect("a status"));
        let (ignored, handled) = (signals(&ours["SigIgn"]), signals(&ours["SigCgt"]));
        assert!(ignored & SIGPIPE != 0 && handled != 0);
        let theirs = fields(&output(attempt(
            &with(&plain(&["cat", "/proc/self/status"]), spawner),
            b"x",
        )));
        for set in ["SigBlk", "SigCgt", "SigPnd", "ShdPnd"] {
            assert_eq!(signals(&theirs[set]), 0, "{set}");
        }
        // What was ignored when this process was started (by `nohup`, say) stays so.
        assert_eq!(signals(&theirs["SigIgn"]), ignored & !SIGPIPE);
    }
}

#[test]
fn a_command_leads_its_own_process_group() {
    for spawner in BOTH {
        let stat = output(attempt(
            &with(&plain(&["cat", "/proc/self/stat"]), spawner),
            b"x",
        ));
        let pid: i32 = stat
            .split(' ')
            .next()
            .and_then(|pid| pid.parse().ok())
            .expect("a pid");
        let group: i32 = stat
            .rsplit(") ")
            .next()
            .and_then(|rest| rest.split(' ').nth(2)?.parse().ok())
            .expect("a group");
        assert_eq!(pid, group);
        assert_eq!(alive(pid), None);
    }
}

#[test]
fn no_descriptor_of_ours_is_inherited() {
    // What this process itself inherited is passed on; what it opened is not.
    let passed_on = |fd: &i32| {
        let info = std::fs::read_to_string(format!("/proc/self/fdinfo/{fd}")).unwrap_or_default();
        let flags = info
            .lines()
            .find_map(|line| line.strip_prefix("flags:"))
            .map(|flags| i32::from_str_radix(flags.trim(), 8));
        matches!(flags, Some(Ok(flags)) if flags & libc::O_CLOEXEC == 0)
    };
    let inherited: Vec<i32> = (3..1024).filter(passed_on).collect();
    let files: Vec<_> = (0..5)
        .map(|_| tempfile::tempfile().expect("a file"))
        .collect();
    assert!(
        files
            .iter()
            .all(|file| !inherited.contains(&file.as_raw_fd()))
    );
    for spawner in BOTH {
        let listed = output(attempt(
            &with(&plain(&["ls", "/proc/self/fd"]), spawner),
            br#"{"stdin":"x"}"#,
        ));
        let mut more: Vec<i32> = listed
            .lines()
            .map(|fd| fd.parse().expect("a number"))
            .collect();
        more.retain(|fd| *fd > 2 && !inherited.contains(fd));
        assert_eq!(
            more.len(),
            1,
            "the directory that `ls` reads, and nothing else: {more:?}"
        );
        let stdin = output(attempt(
            &with(&plain(&["readlink", "/proc/self/fd/0"]), spawner),
            b"x",
        ));
        assert_eq!(stdin, "/dev/null\n");
    }
}

#[test]
fn the_environment_is_ours_with_the_changes_of_the_job() {
    for spawner in BOTH {
        let run = with(&plain(&["env"]), spawner);
        let vars = |bytes: &[u8]| {
            let text = output(attempt(&run, bytes));
            let pair = |line: &str| {
                line.split_once('=')
                    .map(|(name, value)| (name.to_owned(), value.to_owned()))
            };
            text.lines().filter_map(pair).collect::<BTreeMap<_, _>>()
        };
        let base = vars(b"x");
        assert_eq!(base.get("PATH"), std::env::var("PATH").ok().as_ref());
        let gone = base
            .keys()
            .find(|name| *name != "PATH")
            .expect("a variable");
        let text =
            format!(r#"{{"env":{{"NEW":"a=b c","N":5,"PATH":"/bin:/usr/bin","{gone}":null}}}}"#);
        let mut expected = base.clone();
        expected.remove(gone);
        let set = [("NEW", "a=b c"), ("N", "5"), ("PATH", "/bin:/usr/bin")];
        expected.extend(set.map(|(name, value)| (name.to_owned(), value.to_owned())));
        assert_eq!(vars(text.as_bytes()), expected);
        let twice = output(attempt(&run, br#"{"env":{"PATH":"/bin:/usr/bin"}}"#));
        assert_eq!(
            twice
                .lines()
                .filter(|line| line.starts_with("PATH="))
                .count(),
            1
        );
        assert!(!vars(br#"{"env":{"PATH":null}}"#).contains_key("PATH"));
    }
}

#[test]
fn the_working_directory_is_the_one_of_the_job() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().canonicalize().expect("a path");
    for spawner in BOTH {
        let run = with(&plain(&["pwd", "-P"]), spawner);
        let line = format!(r#"{{"cwd":"{}"}}"#, path.display());
        assert_eq!(
            output(attempt(&run, line.as_bytes())),
            format!("{}\n", path.display())
        );
        let here = std::env::current_dir()
            .and_then(|here| here.canonicalize())
            .expect("a directory");
        assert_eq!(output(attempt(&run, b"x")), format!("{}\n", here.display()));
    }
}

/// The kernel kills the command when the thread that started it is gone.
#[test]
fn a_command_dies_with_the_one_that_started_it() {
    use crate::support::{eventually, free, in_runtime, job, shell};
    use settled_jobs::{Core, Work};

    let dir = tempfile::tempdir().expect("a directory");
    for spawner in BOTH {
        let file = dir.path().join(format!("{spawner:?}"));
        let run = with(
            &shell("echo $$ > $1.new; mv $1.new $1; exec sleep 1000"),
            spawner,
        );
        let bytes = file.display().to_string();
        let thread = std::thread::spawn(move || {
            in_runtime(async {
                let core = run.core().expect("a core");
                let (job, never) = (job(&run, bytes.as_bytes()), settled::AbortSignal::never());
                let mut attempt =
                    Box::pin(async move { drop(core.attempt(&job, &free(&never)).await) });
                let started = async {
                    while !std::path::Path::new(&bytes).exists() {
                        tokio::task::yield_now().await
                    }
                };
                tokio::select! { () = &mut attempt => panic!("it ended"), () = started => {} }
                // No destructor runs: as if this process was killed.
                std::mem::forget(attempt);
            });
        });
        thread.join().expect("a thread");
        let pid: i32 = std::fs::read_to_string(file)
            .expect("a pid")
            .trim()
            .parse()
            .expect("a pid");
        eventually("the command is gone", || alive(pid).is_none());
    }
}
