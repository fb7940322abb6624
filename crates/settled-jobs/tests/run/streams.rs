//! What a command writes, and what of it is kept.

use std::fs;
use std::sync::Arc;

use settled_jobs::ErrorKind;
use settled_jobs::run::{Run, RunConfig};

use crate::support::{BOTH, attempt, config, failure, job, output, result, shell, with};

#[test]
fn every_byte_passes_through_an_argument_and_back() {
    let bytes: Vec<u8> = (1..=255).filter(|&byte| byte != b'\n').collect();
    for spawner in BOTH {
        let run = with(&config(&["printf", "%s", "{}"]), spawner);
        let stdout = result(attempt(&run, &bytes)).stdout.expect("kept");
        assert_eq!(
            (stdout.bytes.as_slice(), stdout.total, stdout.truncated()),
            (bytes.as_slice(), 254, false)
        );
    }
}

#[test]
fn floods_on_both_streams_are_cut_and_counted() {
    let megabytes = "head -c 10485760 /dev/zero >&2 & head -c 10485760 /dev/zero; wait";
    for spawner in BOTH {
        let run = with(
            &RunConfig {
                inline: 1000,
                ..shell(megabytes)
            },
            spawner,
        );
        let result = result(attempt(&run, b"x"));
        for kept in [result.stdout.expect("kept"), result.stderr.expect("kept")] {
            assert_eq!(
                (kept.bytes.len(), kept.total, kept.truncated(), kept.file),
                (1000, 10 << 20, true, None)
            );
        }
    }
}

#[test]
fn a_directory_takes_what_is_too_long() {
    let dir = tempfile::tempdir().expect("a directory");
    for spawner in BOTH {
        let config = RunConfig {
            inline: 10,
            save_dir: Some(Arc::from(dir.path())),
            ..shell("seq 10000; seq 3 >&2")
        };
        let result = result(attempt(&with(&config, spawner), b"x"));
        let (stdout, stderr) = (result.stdout.expect("kept"), result.stderr.expect("kept"));
        let file = stdout.file.as_deref().expect("a file");
        assert_eq!(file, dir.path().join("7.stdout"));
        let expected: String = (1..=10000).map(|number| format!("{number}\n")).collect();
        assert_eq!(fs::read_to_string(file).expect("a file"), expected);
        assert_eq!(
            (stdout.total, stdout.truncated(), stdout.bytes.len()),
            (expected.len() as u64, false, 0)
        );
        assert_eq!(
            (stderr.bytes.as_slice(), stderr.file),
            (&b"1\n2\n3\n"[..], None)
        );
        let names: Vec<_> = fs::read_dir(dir.path())
            .expect("a directory")
            .map(|entry| entry.expect("one").file_name())
            .collect();
        assert_eq!(names, ["7.stdout"]);
    }
}

#[test]
fn output_that_can_not_be_kept_is_a_failure_of_its_own() {
    let dir = tempfile::tempdir().expect("a directory");
    let gone = dir.path().join("gone");
    for spawner in BOTH {
        let done = dir.path().join("done");
        let text = format!("seq 100000; touch {}", done.display());
        let config = RunConfig {
            inline: 10,
            save_dir: Some(Arc::from(gone.as_path())),
            ..shell(&text)
        };
        let tried = attempt(&with(&config, spawner), b"x");
        assert_eq!(failure(&tried).kind, ErrorKind::Io);
        assert!(
            failure(&tried)
                .message
                .starts_with("can't keep the output: "),
            "{tried:?}"
        );
        fs::remove_file(done).expect("the command ran to its end");
    }
}

#[test]
fn what_is_not_kept_is_not_there() {
    for spawner in BOTH {
        let none = RunConfig {
            keep_stdout: false,
            keep_stderr: false,
            ..shell("echo out; echo err >&2; exit 3")
        };
        let tried = attempt(&with(&none, spawner), b"x");
        assert_eq!(failure(&tried).message, "exit status 3");
        let result = result(tried);
        assert_eq!((result.stdout, result.stderr), (None, None));
        let one = RunConfig {
            keep_stderr: false,
            ..shell("echo out; echo err >&2")
        };
        assert_eq!(output(attempt(&with(&one, spawner), b"x")), "out\n");
    }
}

#[test]
fn a_stream_may_be_closed_early() {
    for spawner in BOTH {
        let run = with(
            &shell(
                "exec >&-; echo late >&2; exec 2>&-; i=0; while [ $i -lt 1000 ]; do i=$((i+1)); done; exit 4",
            ),
            spawner,
        );
        let tried = attempt(&run, b"x");
        assert_eq!(failure(&tried).message, "exit status 4: late");
        let result = result(tried);
        assert_eq!(
            (
                result.stdout.expect("kept").total,
                result.stderr.expect("kept").bytes.as_slice()
            ),
            (0, &b"late\n"[..])
        );
    }
}

#[test]
fn standard_input_is_what_the_job_gives() {
    for spawner in BOTH {
        let run = with(
            &RunConfig {
                append: false,
                ..config(&["cat"])
            },
            spawner,
        );
        assert_eq!(output(attempt(&run, b"nothing")), "");
        assert_eq!(
            output(attempt(&run, br#"{"stdin":"some\ntext"}"#)),
            "some\ntext"
        );
        // More than any pipe holds, to a command that doesn't read it.
        let much = format!(r#"{{"stdin":"{}"}}"#, "x".repeat(1 << 20));
        assert_eq!(output(attempt(&run, much.as_bytes())).len(), 1 << 20);
        let deaf: Run = with(
            &RunConfig {
                append: false,
                ..config(&["true"])
            },
            spawner,
        );
        assert_eq!(output(attempt(&deaf, much.as_bytes())), "");
        let job = job(&run, br#"{"stdin":"twice"}"#);
        crate::support::in_runtime(async {
            use settled_jobs::{Core, Work};
            let core = run.core().expect("a core");
            for _ in 0..2 {
                let tried = core
                    .attempt(&job, &crate::support::free(&settled::AbortSignal::never()))
                    .await;
                assert_eq!(output(tried), "twice");
            }
        });
    }
}
