//! Ids, keys, and going on with a ledger.

use std::fs;
use std::io::Write;
use std::process::{Command, Stdio};

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::tool::{Folder, Ran, ids, outcomes, settled_as, text, wait_until};

/// Runs the list in the file `list` into the ledger `out`; a job prints its input, and a line of `ran` for each call. It fails
/// if a file `bad-INPUT` is there.
fn run(folder: &Folder, flags: &[&str]) -> Ran {
    let script = "echo \"$1\" >> ran; echo \"$1\"; test ! -e \"bad-$1\"";
    let one = if flags.contains(&"-j") { "" } else { "-j1" };
    let args = ["run", "-i", "list", "-o", "out", one];
    let args = args.iter().filter(|arg| !arg.is_empty());
    folder
        .settled(args.chain(flags).chain(&["--shell", script]))
        .run()
}

/// What was called since the last look.
fn calls(folder: &Folder) -> Vec<String> {
    let ran = folder.read("ran");
    let _ = fs::remove_file(folder.join("ran"));
    ran.lines().map(str::to_owned).collect()
}

fn jobs(ids: &[(&str, &str)]) -> String {
    ids.iter()
        .map(|(id, input)| format!("{}\n", json!({"id": id, "input": input})))
        .collect()
}

fn plan(ledger: &str) -> Value {
    serde_json::from_str(ledger.lines().next().expect("a first line")).expect("JSON")
}

#[test]
fn an_id_is_the_jobs_own_or_the_line_number() {
    let folder = Folder::new();
    folder.file("list", "a\n\nb\n");
    run(&folder, &[]).exits(0);
    assert_eq!(ids(&folder.ledger("out")), ["1", "3"]);
    let folder = Folder::new();
    folder.file(
        "list",
        "{\"id\":\"x\",\"input\":\"a\"}\n{\"id\":7,\"input\":\"b\"}\n{\"input\":\"c\"}\n",
    );
    run(&folder, &[]).exits(0);
    let lines = folder.ledger("out");
    assert_eq!(ids(&lines), ["x", "7", "3"]);
    assert!(lines.iter().all(|line| line["id"].is_string()));
}

#[test]
fn a_key_is_128_bits_of_the_jobs_content() {
    let folder = Folder::new();
    folder.file("list", "a\nb\na\n");
    run(&folder, &[]).exits(0);
    let keys: Vec<_> = folder
        .ledger("out")
        .iter()
        .map(|line| text(&line["key"]))
        .collect();
    assert!(
        keys.iter()
            .all(|key| key.len() == 32
                && key.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))),
        "{keys:?}"
    );
    assert!(keys[0] == keys[2] && keys[0] != keys[1]);
    // Neither id nor meta nor the order of members is content.
    let folder = Folder::new();
    folder.file("list", "{\"id\":\"a\",\"input\":\"x\",\"timeout\":9}\n{\"meta\":1,\"timeout\":9, \"input\":\"x\",\"id\":\"b\"}\n{\"id\":\"c\",\"input\":\"x\"}\n");
    run(&folder, &[]).exits(0);
    let keys: Vec<_> = folder
        .ledger("out")
        .iter()
        .map(|line| text(&line["key"]))
        .collect();
    assert!(keys[0] == keys[1] && keys[0] != keys[2], "{keys:?}");
}

#[test]
fn a_repeated_id_is_rejected_under_an_id_of_its_own_and_not_again_on_resume() {
    let folder = Folder::new();
    folder.file(
        "list",
        jobs(&[("x", "a"), ("y", "b"), ("x", "c"), ("x", "a")]),
    );
    run(&folder, &[]).exits(1);
    let mut lines = folder.ledger("out");
    lines.sort_by_key(|line| line["seq"].as_u64());
    assert_eq!(ids(&lines), ["x", "y", "x@3", "x@4"]);
    for line in &lines[2..] {
        assert_eq!(
            (&line["outcome"], &line["error"]["kind"], &line["attempts"]),
            (&json!("rejected"), &json!("duplicate_id"), &json!(0))
        );
    }
    assert_eq!(calls(&folder), ["a", "b"]);
    run(&folder, &[]).exits(1).says("nothing to do");
    assert_eq!((folder.ledger("out").len(), calls(&folder).len()), (4, 0));
}

#[test]
fn a_line_number_and_an_own_id_that_is_the_same_number() {
    let folder = Folder::new();
    folder.file("list", "{\"id\":\"3\",\"input\":\"a\"}\n{\"input\":\"b\"}\n{\"input\":\"c\"}\n{\"id\":\"2\",\"input\":\"d\"}\n");
    run(&folder, &[]).exits(1);
    let mut lines = folder.ledger("out");
    lines.sort_by_key(|line| line["seq"].as_u64());
    assert_eq!(ids(&lines), ["3", "2", "3@3", "2@4"]);
    run(&folder, &[]).exits(1).says("nothing to do");
    assert_eq!(folder.ledger("out").len(), 4);
}

#[test]
fn the_first_line_is_the_plan_and_has_no_outcome() {
    let folder = Folder::new();
    folder.file("list", "a\nb\n");
    run(&folder, &[]).exits(0);
    let plan = plan(&folder.read("out"));
    assert_eq!(
        (&plan["settled"], &plan["plan"]["command"]),
        (&json!(1), &json!("run"))
    );
    assert_eq!(plan["plan_hash"].as_str().map(str::len), Some(32));
    assert_eq!(plan.get("outcome"), None);
    let jq = Command::new("jq")
        .args(["-c", "select(.outcome) | .id", "out"])
        .current_dir(folder.path())
        .output();
    assert_eq!(
        String::from_utf8_lossy(&jq.expect("jq").stdout),
        "\"1\"\n\"2\"\n"
    );
}

#[test]
fn the_same_plan_and_ledger_do_only_the_rest() {
    let folder = Folder::new();
    folder.file("list", "a\nb\n");
    run(&folder, &[]).exits(0);
    assert_eq!(calls(&folder), ["a", "b"]);
    folder.file("list", "a\nb\nc\nd\n");
    run(&folder, &[])
        .exits(0)
        .says("2 fulfilled")
        .says("2 were settled before");
    assert_eq!(calls(&folder), ["c", "d"]);
    run(&folder, &[]).exits(0).says("nothing to do");
    assert!(calls(&folder).is_empty());
    assert_eq!(folder.read("out").matches("plan_hash").count(), 1);
}

#[test]
fn a_failed_job_is_settled_and_not_done_again_by_itself() {
    let folder = Folder::new();
    folder.file("list", "a\nb\n");
    folder.file("bad-a", "");
    run(&folder, &[]).exits(1);
    assert_eq!(calls(&folder), ["a", "b"]);
    run(&folder, &[]).exits(1);
    assert!(calls(&folder).is_empty());
}

#[test]
fn load_and_looks_are_no_part_of_a_plan() {
    let folder = Folder::new();
    folder.file("list", "a\n");
    run(&folder, &[]).exits(0);
    let flags = "-j 7 --threads 1 --rate 100/s --burst 5 --retries 3 --backoff 1ms..2ms --retry-after-max 1s --retry-budget 10% --halt soon,fail=3 --grace 1s --timeout 9s --total-timeout 99s --progress json --color never --fsync always -q --max-line 1k --retry-on 5";
    for flag in flags.split(" --") {
        let flag = if flag.starts_with('-') {
            flag.to_owned()
        } else {
            format!("--{flag}")
        };
        run(&folder, &flag.split(' ').collect::<Vec<_>>()).exits(0);
    }
    let server =
        settled_testserver::Server::start_blocking(|_| settled_testserver::Answer::ok("x"))
            .expect("a server");
    let folder = Folder::new();
    folder.file("list", format!("{}\n", server.url("/")));
    folder.run("fetch -i list -o out").exits(0);
    let flags = "-j 3|--per-host 2|--per-host-rate 9/s|--connect-timeout 1s|--retry-on 500|--retry-unsafe|--timeout none|--total-timeout 1h|--retries 0|--no-proxy";
    for flag in flags.split('|') {
        folder.run(&format!("fetch -i list -o out {flag}")).exits(0);
    }
    assert_eq!(server.log().requests(), 1);
}

#[test]
fn a_plan_whose_meaning_differs_is_refused_and_the_difference_shown() {
    let folder = Folder::new();
    folder.file("list", "a\n");
    let begin = |args: &str| {
        folder
            .run(&format!("run -i list -o out --overwrite {args}"))
            .exits(0)
    };
    begin("-- echo {}");
    let before = folder.read("out");
    for (args, name) in [
        ("-- echo {} x", "template"),
        ("--shell :", "shell"),
        ("--ok-exit 0,1 -- echo {}", "ok_exit"),
        ("--keep stdout -- echo {}", "keep"),
        ("--inline 10 -- echo {}", "inline"),
        ("--sep , -- echo {}", "sep"),
        ("--no-append -- echo {}", "append"),
        ("-0 -- echo {}", "null"),
        ("--input-format jsonl -- echo {}", "input_format"),
        ("--save-dir d -- echo {}", "save_dir"),
    ] {
        let ran = folder
            .run(&format!("run -i list -o out {args}"))
            .exits(2)
            .says("another plan")
            .says(name);
        ran.says("--adopt-plan").says("--overwrite");
    }
    assert_eq!(folder.read("out"), before);
    let ran = folder.run("run -i list -o out -- echo x {}").exits(2);
    ran.says(r#"template: the ledger has ["echo","{}"], asked for is ["echo","x","{}"]"#);
}

#[test]
fn a_fetch_whose_meaning_differs_is_refused_too() {
    let folder = Folder::new();
    folder.file("list", "http://127.0.0.1:1/\n");
    folder.run("fetch -i list -o out --retries 0").exits(1);
    for (args, name) in [
        ("-X PUT", "method"),
        ("-H a:b", "headers"),
        ("--base-url http://b/", "base_url"),
        ("-d x", "body"),
        ("--json {}", "body"),
        ("--ok-status 200-499", "ok_status"),
        ("--keep body", "keep"),
        ("--max-body 1k", "max_body"),
        ("--no-redirects", "max_redirects"),
        ("--max-redirects 3", "max_redirects"),
        ("--no-compression", "no_compression"),
        ("-A me", "user_agent"),
        ("--insecure", "insecure"),
        ("--deny-private", "deny_private"),
    ] {
        folder
            .run(&format!("fetch -i list -o out {args}"))
            .exits(2)
            .says("another plan")
            .says(name);
    }
    folder.file("list2", "echo\n");
    folder
        .run("run -i list2 -o out -- echo")
        .exits(2)
        .says("command: the ledger has fetch, asked for is run");
}

#[test]
fn a_renewed_token_is_the_same_plan() {
    let folder = Folder::new();
    folder.file("list", "http://127.0.0.1:1/\n");
    let run = |token: &str| {
        folder
            .settled("fetch -i list -o out --retries 0 --bearer-env T".split(' '))
            .env("T", token)
            .run()
    };
    run("one").exits(1);
    run("two").exits(1).says("nothing to do");
}

#[test]
fn overwrite_starts_anew() {
    let folder = Folder::new();
    folder.file("list", "a\n");
    folder.run("run -i list -o out -- echo").exits(0);
    folder
        .run("run -i list -o out --overwrite -- echo x")
        .exits(0)
        .says("1 fulfilled");
    let ledger = folder.read("out");
    assert_eq!(
        (
            ledger.lines().count(),
            outcomes(&ledger)[0]["result"]["stdout"].clone()
        ),
        (2, json!("x a\n"))
    );
    // Also where there is none yet; and with a damaged one.
    folder
        .run("run -i list -o new --overwrite -- echo")
        .exits(0);
    let damaged = folder
        .read("out")
        .replace("\"attempts\":1", "\"attempts\":2");
    folder.file("out", damaged);
    folder
        .run("run -i list -o out --overwrite -- echo")
        .exits(0);
}

#[test]
fn adopt_plan_goes_on_with_the_new_one() {
    let folder = Folder::new();
    folder.file("list", "a\n");
    folder.run("run -i list -o out -- echo").exits(0);
    folder.file("list", "a\nb\n");
    folder
        .run("run -i list -o out --adopt-plan -- echo x")
        .exits(0)
        .says("1 fulfilled");
    assert_eq!(folder.ledger("out")[1]["result"]["stdout"], "x b\n");
    // From then on, that is the plan.
    folder.run("run -i list -o out -- echo x").exits(0);
    folder.run("run -i list -o out -- echo").exits(2);
}

#[test]
fn a_file_that_is_no_ledger_is_never_touched() {
    let folder = Folder::new();
    folder.file("list", "a\n");
    let files: [&[u8]; 8] = [
        b"my notes\n",
        b"my notes",
        b"{",
        b"{\"settled\":1}\n",
        b"{\"v\":1,\"outcome\":\"fulfilled\"}\n",
        b"\x7fELF\0\0\xff\xff",
        b"\n",
        b"{\"settled\":1,\"plan\":\"that of a house\"}",
    ];
    for bytes in files {
        let path = folder.file("file", bytes);
        for flags in [
            "",
            "--overwrite",
            "--adopt-plan",
            "--repair",
            "--adopt-plan --repair --redo rejected",
        ] {
            let ran = folder.run(&format!("run -i list -o file {flags} -- echo"));
            assert_eq!(
                fs::read(&path).expect("it is there"),
                bytes,
                "{flags} touched {:?}",
                String::from_utf8_lossy(bytes)
            );
            ran.exits(4).says("no ledger");
        }
    }
}

#[test]
fn a_link_that_somebody_planted_is_not_followed() {
    let folder = Folder::new();
    folder.file("list", "a\n");
    folder.file("target", "");
    std::os::unix::fs::symlink("target", folder.join("out")).expect("a link");
    folder.run("run -i list -o out -- echo").exits(4);
    assert_eq!(folder.read("target"), "");
}

#[test]
fn an_empty_file_becomes_a_ledger() {
    let folder = Folder::new();
    folder.file("list", "a\n");
    folder.file("out", "");
    run(&folder, &[]).exits(0);
    assert_eq!(folder.ledger("out").len(), 1);
}

#[test]
fn the_newest_line_of_an_id_counts() {
    for list in ["a\nb\n".to_owned(), jobs(&[("x", "a"), ("y", "b")])] {
        let folder = Folder::new();
        folder.file("list", &list);
        folder.file("bad-a", "");
        run(&folder, &[]).exits(1);
        fs::remove_file(folder.join("bad-a")).expect("it was there");
        run(&folder, &["--redo", "rejected"]).exits(0);
        run(&folder, &[]).exits(0).says("nothing to do");
        // The other way round as well.
        folder.file("bad-a", "");
        run(&folder, &["--redo", "fulfilled"]).exits(1);
        run(&folder, &[]).exits(1);
        assert_eq!(calls(&folder), ["a", "b", "a", "a", "b"]);
    }
}

#[test]
fn a_line_that_is_not_final_does_not_count() {
    for list in ["a\nb\n".to_owned(), jobs(&[("x", "a"), ("y", "b")])] {
        let folder = Folder::new();
        folder.fifo("go");
        folder.file("list", list);
        let script = "if test ! -e once; then echo $$ > once; read line < go; fi; echo $1 >> ran";
        let args = [
            "run", "-i", "list", "-o", "out", "-j", "1", "--grace", "0", "--shell", script,
        ];
        let running = folder.settled(args).start();
        folder.wait_for("once");
        running.signal(Signal::INT);
        running.end().ends_by(Signal::INT);
        let lines = folder.ledger("out");
        assert_eq!((lines.len(), &lines[0]["final"]), (1, &json!(false)));
        folder.settled(args).run().exits(0).says("2 fulfilled");
        assert_eq!(calls(&folder), ["a", "b"]);
    }
}

#[test]
fn interrupted_by_a_halt_it_runs_again() {
    let folder = Folder::new();
    folder.fifo("never");
    folder.file("list", "wait\nfail\nlast\n");
    let script = "case $1 in wait) echo $$ > w; read x < never;; fail) while ! test -e w; do :; done; exit 1;; esac";
    let args = [
        "run",
        "-i",
        "list",
        "-o",
        "out",
        "-j",
        "2",
        "--halt",
        "now,fail=1",
        "--shell",
        script,
    ];
    folder.settled(args).run().exits(3);
    let lines = folder.ledger("out");
    let wait = lines
        .iter()
        .find(|line| line["id"] == "1")
        .expect("a line for the aborted job");
    assert_eq!(
        (&wait["outcome"], &wait["final"]),
        (&json!("cancelled"), &json!(false))
    );
    let script = "echo $1 >> ran";
    let args = [
        "run",
        "-i",
        "list",
        "-o",
        "out",
        "-j",
        "1",
        "--adopt-plan",
        "--shell",
        script,
    ];
    folder.settled(args).run().exits(1);
    assert_eq!(calls(&folder), ["wait", "last"]);
}

#[test]
fn explicit_ids_match_by_id_wherever_they_stand() {
    let folder = Folder::new();
    folder.file("list", jobs(&[("x", "a"), ("y", "b"), ("z", "c")]));
    run(&folder, &[]).exits(0);
    calls(&folder);
    folder.file("list", jobs(&[("new", "d"), ("z", "c"), ("x", "a")]));
    run(&folder, &[]).exits(0);
    assert_eq!(calls(&folder), ["d"]);
}

#[test]
fn a_changed_content_is_counted_and_redo_changed_runs_it() {
    let folder = Folder::new();
    folder.file("list", jobs(&[("x", "a"), ("y", "b")]));
    run(&folder, &[]).exits(0);
    calls(&folder);
    folder.file("list", jobs(&[("x", "other"), ("y", "b")]));
    run(&folder, &[])
        .exits(0)
        .says("1 jobs ask for something else")
        .says("--redo changed");
    assert!(calls(&folder).is_empty());
    run(&folder, &["--redo", "changed"]).exits(0);
    assert_eq!(calls(&folder), ["other"]);
    run(&folder, &["--redo", "changed"])
        .exits(0)
        .keeps_silent_about("something else");
    assert!(calls(&folder).is_empty());
}

/// Runs a list, changes it, and says what was called then.
fn edited(before: &str, after: &str) -> (Vec<String>, Ran) {
    let folder = Folder::new();
    let lines = |list: &str| {
        list.split_whitespace()
            .map(|line| format!("{line}\n"))
            .collect::<String>()
    };
    folder.file("list", lines(before));
    run(&folder, &[]).exits(0);
    calls(&folder);
    folder.file("list", lines(after));
    let ran = run(&folder, &[]).exits(0);
    // Now it is all settled, whatever was done.
    let called = calls(&folder);
    run(&folder, &[]).exits(0).says("nothing to do");
    (called, ran)
}

#[test]
fn plain_lines_match_by_number_and_key_and_in_an_edited_list_by_key_and_count() {
    assert_eq!(edited("a b c d", "a b c d").0, [""; 0]);
    for (after, done) in [
        ("x a b c d", "x"), // inserted before the first
        ("a b x c d", "x"), // in the middle
        ("a b c d x", "x"), // at the end
        ("b c d", ""),      // taken out: the first
        ("a c d", ""),      // one in the middle
        ("a b c", ""),      // the last
        ("d c b a", ""),    // turned around
        ("a x c d", "x"),   // replaced
        ("c x a y", "x y"), // all of it
        ("a a b c d", "a"), // once more than was done
        ("a b c d a b", "a b"),
    ] {
        let (called, _) = edited("a b c d", after);
        assert_eq!(called.join(" "), done, "a b c d became {after}");
    }
    // What was done twice counts twice.
    assert_eq!(edited("a a b", "b a a a").0, ["a"]);
    edited("a b c d", "x a b c d")
        .1
        .says("not the one of the earlier run");
    edited("a b c d", "a b c d x")
        .1
        .keeps_silent_about("not the one of the earlier run");
}

#[test]
fn redo_does_those_outcomes_again() {
    let folder = Folder::new();
    folder.fifo("never");
    folder.file("list", "good\nbad\nslow\n");
    let script = "echo $1 >> ran; case $1 in bad) exit 1;; slow) read x < never;; esac";
    let run = |redo: &str| {
        let args = format!("run -i list -o out -j 1 --timeout 400ms {redo} --shell");
        folder
            .settled(args.split_whitespace().chain([script]))
            .run()
    };
    run("").exits(1);
    assert_eq!(
        settled_as(&folder.ledger("out"))
            .into_iter()
            .map(|(_, outcome)| outcome)
            .collect::<Vec<_>>(),
        ["fulfilled", "rejected", "timed_out"]
    );
    assert_eq!(calls(&folder), ["good", "bad", "slow"]);
    for (redo, done) in [
        ("rejected", "bad"),
        ("timed_out", "slow"),
        ("rejected,timed_out", "bad slow"),
        ("fulfilled", "good"),
        ("cancelled,panicked,abandoned", ""),
    ] {
        run(&format!("--redo {redo}")).exits(1);
        assert_eq!(calls(&folder).join(" "), done, "{redo}");
    }
    run("--redo nonsense")
        .exits(2)
        .says("--redo nonsense")
        .says("timed_out");
}

#[test]
fn report_latest_prints_the_newest_line_of_each_id() {
    for (list, id) in [
        ("a\nb\n".to_owned(), "1"),
        (jobs(&[("x", "a"), ("y", "b")]), "x"),
    ] {
        let folder = Folder::new();
        folder.file("list", list);
        folder.file("bad-a", "");
        run(&folder, &[]).exits(1);
        fs::remove_file(folder.join("bad-a")).expect("it was there");
        run(&folder, &["--redo", "rejected"]).exits(0);
        assert_eq!(folder.ledger("out").len(), 3);
        let latest = folder.run("report --latest out").exits(0);
        assert_eq!(latest.text().lines().count(), 2, "the plan is left out");
        let lines = latest.lines();
        assert_eq!(
            (&lines[0]["id"], &lines[0]["outcome"]),
            (&json!(id), &json!("fulfilled"))
        );
        // Each line is the one of the ledger, byte by byte; and standard input does as well.
        let ledger = folder.read("out");
        assert!(latest.text().lines().all(|line| ledger.contains(line)));
        let piped = folder.run("report --latest -").exits(0);
        assert!(piped.text().is_empty());
        let piped = folder
            .settled(["report", "--latest", "-"])
            .stdin(ledger)
            .run()
            .exits(0);
        assert_eq!(piped.text(), latest.text());
    }
}

#[test]
fn a_slots_line_is_in_the_file_before_its_next_job_starts() {
    let folder = Folder::new();
    let list: String = (1..=40).map(|n| format!("{n}\n")).collect();
    folder.file("list", list);
    for fsync in ["always", "interval", "never"] {
        // Each command counts the outcome lines that are there already: all before it.
        let args = [
            "run",
            "-i",
            "list",
            "-o",
            "out",
            "--overwrite",
            "-j",
            "1",
            "--fsync",
            fsync,
            "--shell",
            "grep -c '^{.v' out; true",
        ];
        folder.settled(args).run().exits(0);
        let seen: Vec<_> = folder
            .ledger("out")
            .iter()
            .map(|line| text(&line["result"]["stdout"]).trim().to_owned())
            .collect();
        assert_eq!(
            seen,
            (0..40).map(|n: u32| n.to_string()).collect::<Vec<_>>(),
            "{fsync}"
        );
    }
    folder
        .run("run -i list -o out --fsync sometimes -- true")
        .exits(2)
        .says("always, interval, never");
}

#[test]
fn one_process_a_ledger_the_second_one_exits_4() {
    let folder = Folder::new();
    folder.fifo("go");
    folder.file("list", "a\n");
    let args = [
        "run",
        "-i",
        "list",
        "-o",
        "out",
        "--shell",
        "echo $$ > started; read line < go",
    ];
    let running = folder.settled(args).start();
    folder.wait_for("started");
    let before = folder.read("out");
    folder.settled(args).run().exits(4).says("another settled");
    folder
        .settled([
            "run",
            "-i",
            "list",
            "-o",
            "out",
            "--overwrite",
            "--",
            "true",
        ])
        .run()
        .exits(4)
        .says("another settled");
    assert_eq!(folder.read("out"), before);
    fs::write(folder.join("go"), "\n").expect("a line");
    running.end().exits(0);
    folder.settled(args).run().exits(0).says("nothing to do");
}

#[test]
fn a_torn_last_line_is_cut_off_and_its_job_runs_again() {
    let folder = Folder::new();
    folder.file("list", "a\nb\nc\n");
    run(&folder, &[]).exits(0);
    let whole = folder.read("out");
    let start = whole.trim_end().rfind('\n').expect("lines") + 1;
    for length in [start + 1, start + 40, whole.len() - 1] {
        calls(&folder);
        folder.file("out", &whole[..length]);
        run(&folder, &[]).exits(0).says("torn");
        assert_eq!(calls(&folder), ["c"]);
        assert_eq!(settled_as(&folder.ledger("out")).len(), 3);
        assert!(folder.read("out").ends_with('\n'));
    }
}

#[test]
fn a_torn_first_line_is_begun_anew() {
    let folder = Folder::new();
    folder.file("list", "a\n");
    run(&folder, &[]).exits(0);
    let whole = folder.read("out");
    let plan = whole.find('\n').expect("lines");
    folder.file("out", &whole[..plan]);
    run(&folder, &[]).exits(0);
    assert_eq!(folder.read("out").lines().count(), 2);
}

#[test]
fn a_torn_line_stays_where_the_plan_is_refused() {
    let folder = Folder::new();
    folder.file("list", "a\nb\n");
    folder.run("run -i list -o out -- echo").exits(0);
    let whole = folder.read("out");
    let torn = &whole[..whole.len() - 5];
    folder.file("out", torn);
    folder.run("run -i list -o out -- printf").exits(2);
    assert_eq!(folder.read("out"), torn);
}

/// A ledger of three jobs whose line `number` has a flipped bit.
fn damaged(number: usize) -> (Folder, Vec<String>) {
    let folder = Folder::new();
    folder.file("list", "a\nb\nc\n");
    run(&folder, &[]).exits(0);
    calls(&folder);
    let mut lines: Vec<String> = folder.read("out").lines().map(str::to_owned).collect();
    let line = &mut lines[number - 1];
    let at = line.len() / 2;
    // The same length, and still text.
    let flipped = char::from(line.as_bytes()[at] ^ 1);
    line.replace_range(at..=at, &flipped.to_string());
    folder.file("out", lines.join("\n") + "\n");
    (folder, lines)
}

#[test]
fn a_damaged_line_stops_the_run_and_its_number_is_named() {
    for number in [1, 2, 3, 4] {
        let (folder, _) = damaged(number);
        let before = folder.read("out");
        run(&folder, &[])
            .exits(4)
            .says(&format!("line {number} is damaged"))
            .says("--repair");
        assert_eq!(folder.read("out"), before);
        assert!(calls(&folder).is_empty());
    }
}

#[test]
fn repair_sets_damaged_lines_aside() {
    for number in [2, 3, 4] {
        let (folder, lines) = damaged(number);
        run(&folder, &["--repair"]).exits(0);
        assert_eq!(calls(&folder), [["a", "b", "c"][number - 2]]);
        assert_eq!(folder.read("out.damaged"), lines[number - 1].clone() + "\n");
        run(&folder, &[]).exits(0).says("nothing to do");
        assert!(!folder.join("out.repaired").exists());
    }
}

#[test]
fn repair_sets_a_damaged_plan_aside_too() {
    let (folder, lines) = damaged(1);
    run(&folder, &["--repair"]).exits(0).says("nothing to do");
    assert_eq!(folder.read("out.damaged"), lines[0].clone() + "\n");
    assert_eq!(plan(&folder.read("out"))["plan"]["command"], "run");
    run(&folder, &[]).exits(0).says("nothing to do");
    assert_eq!(folder.ledger("out").len(), 3);
}

#[test]
fn a_line_that_another_tool_wrote_anew_is_read_but_not_one_that_is_damaged() {
    let folder = Folder::new();
    folder.file("list", "a\nb\n");
    run(&folder, &[]).exits(0);
    let jq = Command::new("jq")
        .args(["-c", "del(.crc)"])
        .stdin(fs::File::open(folder.join("out")).expect("it"))
        .stdout(Stdio::piped())
        .output();
    folder.file("out", jq.expect("jq").stdout);
    run(&folder, &[]).exits(0).says("nothing to do");
    // An empty line in the middle is nobody's outcome.
    let mut file = fs::OpenOptions::new()
        .append(true)
        .open(folder.join("out"))
        .expect("it");
    file.write_all(b"garbage\n").expect("a line");
    run(&folder, &[]).exits(4).says("line 4 is damaged");
}

#[test]
fn a_resume_goes_on_from_a_pipe_as_well() {
    let folder = Folder::new();
    let args = ["run", "-o", "out", "-j", "1", "--shell", "echo $1 >> ran"];
    let (running, mut list) = folder.settled(args).start_with_stdin();
    list.write_all(b"a\nb\n").expect("two lines");
    wait_until("two outcomes", || {
        (folder.ledger("out").len() == 2).then_some(())
    });
    running.kill();
    folder
        .settled(args)
        .stdin("a\nb\nc\n")
        .run()
        .exits(0)
        .says("1 fulfilled");
    assert_eq!(calls(&folder), ["a", "b", "c"]);
}
