//! Load and failure: each row of the table, for both commands.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use rustix::process::Signal;
use serde_json::{Value, json};
use settled_testserver::{Answer, At, ClosedPort, Gate, Server};

use crate::tool::{Folder, Ran, text};

fn serve(answer: impl Fn() -> Answer + Send + Sync + 'static) -> Server {
    Server::start_blocking(move |_| answer()).expect("a server")
}

/// Holds its answers until `count` requests have come, and then gives them all.
fn together(count: usize) -> Server {
    let (gate, came) = (Gate::new(), AtomicUsize::new(0));
    let server = Server::start_blocking(move |_| {
        if came.fetch_add(1, Ordering::Relaxed) + 1 == count {
            gate.open();
        }
        Answer::ok("x").hold(At::Start, &gate)
    });
    server.expect("a server")
}

/// A list of `count` URLs of a server.
fn urls(folder: &Folder, server: &Server, count: usize) {
    let list: String = (1..=count)
        .map(|n| format!("{}\n", server.url(&format!("/{n}"))))
        .collect();
    folder.file("list", list);
}

/// Fetches one URL with these flags, as separated by blanks.
fn fetch(server: &Server, flags: &str) -> Ran {
    let folder = Folder::new();
    folder
        .settled(
            ["fetch", &server.url("/")]
                .into_iter()
                .chain(flags.split_whitespace()),
        )
        .run()
}

/// Runs one shell text for a line `x`; `$HOME` is a fresh folder.
fn run(flags: &str, script: &str) -> (Folder, Ran) {
    let folder = Folder::new();
    let args = ["run"]
        .into_iter()
        .chain(flags.split_whitespace())
        .chain(["--shell", script]);
    let ran = folder.settled(args).stdin("x\n").run();
    (folder, ran)
}

fn waits(line: &Value) -> Vec<f64> {
    let tries = line["tries"].as_array().cloned().unwrap_or_default();
    tries
        .iter()
        .map(|a_try| a_try["wait_ms"].as_f64().expect("a wait"))
        .collect()
}

// -j

#[test]
fn as_many_requests_run_at_once_as_jobs_says_and_no_more() {
    for (flags, jobs) in [
        ("-j 1", 1),
        ("-j 5", 5),
        ("--jobs 2 --threads 1", 2),
        ("", 32),
    ] {
        let (folder, server) = (Folder::new(), together(jobs));
        urls(&folder, &server, jobs + 40);
        folder.run(&format!("fetch -i list -q {flags}")).exits(0);
        // That many were there at once, or the gate had stayed shut; a connection carries one request at a time.
        let opened = server.connections().opened;
        assert!(opened <= jobs as u64, "-j {jobs}: {opened} connections");
    }
}

/// Runs 40 commands that each wait until `jobs` of them have started, and says how many ran at once at most.
fn commands_at_once(flags: &str, jobs: usize) -> usize {
    let folder = Folder::new();
    let list: String = (0..40.max(jobs)).map(|n| format!("{n}\n")).collect();
    folder.file("list", list);
    let script =
        format!("echo + >> log; while test $(grep -c + log) -lt {jobs}; do :; done; echo - >> log");
    let args = "run -i list -q --keep none"
        .split(' ')
        .chain(flags.split_whitespace());
    folder
        .settled(args.chain(["--shell", &script]))
        .run()
        .exits(0);
    let (mut now, mut most) = (0usize, 0);
    for line in folder.read("log").lines() {
        now = if line == "+" { now + 1 } else { now - 1 };
        most = most.max(now);
    }
    most
}

#[test]
fn as_many_commands_run_at_once_as_jobs_says_and_no_more() {
    let cores = std::thread::available_parallelism().expect("cores").get();
    for (flags, jobs) in [
        ("-j 1", 1),
        ("-j 3", 3),
        ("-j 3 --threads 1", 3),
        ("", cores),
    ] {
        assert_eq!(commands_at_once(flags, jobs), jobs, "{flags}");
    }
}

// --retries

#[test]
fn retries_are_after_the_first_try() {
    for (flags, calls) in [
        ("--retries 0", 1),
        ("--retries 1", 2),
        ("--retries 5", 6),
        ("", 4),
    ] {
        let server = serve(|| Answer::status(503));
        let line = fetch(&server, &format!("--backoff 0..0 {flags}"))
            .exits(1)
            .line();
        assert_eq!(
            (&line["attempts"], server.log().requests()),
            (&json!(calls), calls),
            "fetch {flags}"
        );
    }
    for (flags, calls) in [
        ("--retries 0", 1),
        ("--retries 1", 2),
        ("--retries 5", 6),
        ("", 1),
    ] {
        let (folder, ran) = run(&format!("--backoff 0..0 {flags}"), "echo >> ran; exit 1");
        assert_eq!(ran.exits(1).line()["attempts"], json!(calls), "run {flags}");
        assert_eq!(folder.read("ran").lines().count(), calls, "run {flags}");
    }
}

#[test]
fn a_retry_that_succeeds_is_a_success() {
    let server = Server::start_blocking(|request| match request.attempt {
        1 | 2 => Answer::status(500),
        _ => Answer::ok("at last"),
    });
    let line = fetch(&server.expect("a server"), "--backoff 0..0")
        .exits(0)
        .line();
    assert_eq!(
        (&line["attempts"], &line["result"]["body"]),
        (&json!(3), &json!("at last"))
    );
    let (_, ran) = run(
        "--retries 3 --backoff 0..0",
        "echo >> ran; test $(wc -l < ran) = 3",
    );
    assert_eq!(ran.exits(0).line()["attempts"], 3);
}

// --timeout, --total-timeout, --connect-timeout

#[test]
fn a_timeout_is_per_try() {
    let server = serve(|| Answer::ok("x").stall(At::Start));
    let line = fetch(&server, "--timeout 100ms --retries 2 --backoff 0..0")
        .exits(1)
        .line();
    assert_eq!(
        (&line["outcome"], server.log().requests()),
        (&json!("timed_out"), 3)
    );
    let (folder, ran) = run(
        "--timeout 200ms --retries 1 --backoff 0..0",
        "echo >> ran; exec sleep 1000",
    );
    assert_eq!(ran.exits(1).line()["outcome"], "timed_out");
    assert_eq!(folder.read("ran").lines().count(), 2);
}

#[test]
fn a_total_timeout_is_per_job() {
    let server = serve(|| Answer::status(503).retry_after(3600));
    let line = fetch(&server, "--total-timeout 2s --retry-after-max 1h")
        .exits(1)
        .line();
    assert_eq!(
        (&line["outcome"], &line["attempts"]),
        (&json!("timed_out"), &json!(1))
    );
    let (_, ran) = run(
        "--timeout none --total-timeout 200ms --retries 9",
        "exec sleep 1000",
    );
    let line = ran.exits(1).line();
    assert_eq!(
        (&line["outcome"], &line["attempts"]),
        (&json!("timed_out"), &json!(1))
    );
}

#[test]
fn a_connect_timeout_is_part_of_a_try() {
    // A socket that listens, and whose queue is full: a further connection is never made.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    rustix::net::listen(&listener, 0).expect("a short queue");
    let addr = listener.local_addr().expect("its address");
    let socket = |_| std::net::TcpStream::connect_timeout(&addr, Duration::from_millis(300));
    let taken: Vec<_> = (0..4).map(socket).collect();
    let folder = Folder::new();
    let url = format!("http://{addr}/");
    let line = folder
        .settled([
            "fetch",
            &url,
            "--retries",
            "0",
            "--connect-timeout",
            "200ms",
        ])
        .run()
        .exits(1)
        .line();
    assert_eq!(
        (&line["outcome"], &line["error"]["kind"]),
        (&json!("timed_out"), &json!("timeout"))
    );
    assert!(
        text(&line["error"]["message"]).contains("connection"),
        "{line}"
    );
    drop(taken);
}

// --backoff, --retry-on, --retry-after-max, --retry-budget

#[test]
fn waits_are_random_and_between_nothing_and_a_growing_bound() {
    let server = serve(|| Answer::status(503));
    let line = fetch(&server, "--retries 12 --backoff 2ms..16ms")
        .exits(1)
        .line();
    let waits = waits(&line);
    assert_eq!(waits.len(), 12);
    for (nth, wait) in waits.iter().enumerate() {
        let bound = 16f64.min(2.0 * 2f64.powi(i32::try_from(nth).expect("few")));
        assert!(
            (0.0..=bound + 0.1).contains(wait),
            "wait {nth} is {wait} ms, bound {bound}"
        );
    }
    assert!(waits.iter().any(|wait| *wait != waits[0]), "{waits:?}");
}

#[test]
fn these_statuses_are_retried_by_default_and_others_are_not() {
    let server = Server::start_blocking(|request| {
        Answer::status(request.path()[1..].parse().unwrap_or(200))
    });
    let server = server.expect("a server");
    let folder = Folder::new();
    let retried = [408, 425, 429, 500, 502, 503, 504];
    let not = [400, 401, 403, 404, 409, 410, 418, 422, 501, 505, 520];
    let list: String = retried
        .iter()
        .chain(&not)
        .map(|status| server.url(&format!("/{status}\n")))
        .collect();
    folder
        .settled("fetch --retries 1 --backoff 0..0 --retry-budget off".split(' '))
        .stdin(list)
        .run()
        .exits(1);
    let log = server.log();
    let calls = |status: &u16| log.of(&format!("/{status}")).count();
    assert!(retried.iter().all(|status| calls(status) == 2), "{log:#?}");
    assert!(not.iter().all(|status| calls(status) == 1), "{log:#?}");
}

#[test]
fn other_statuses_can_be_chosen() {
    let server = Server::start_blocking(|request| {
        Answer::status(request.path()[1..].parse().unwrap_or(200))
    });
    let server = server.expect("a server");
    let folder = Folder::new();
    let list: String = [404, 418, 503]
        .iter()
        .map(|status| server.url(&format!("/{status}\n")))
        .collect();
    folder
        .settled("fetch --retries 1 --backoff 0..0 --retry-on 404,410-420".split(' '))
        .stdin(list)
        .run()
        .exits(1);
    let log = server.log();
    assert_eq!(
        ["/404", "/418", "/503"].map(|target| log.of(target).count()),
        [2, 2, 1]
    );
}

#[test]
fn network_faults_are_retried() {
    type Fault = fn() -> Answer;
    let faults: [Fault; 4] = [
        || Answer::ok("x").reset(At::Start),
        || Answer::ok("xyz").reset(At::Body(1)),
        || Answer::ok("xyz").close(At::Body(1)),
        || Answer::ok("x").close(At::Start),
    ];
    for fault in faults {
        let server = Server::start_blocking(move |request| {
            if request.attempt == 1 {
                fault()
            } else {
                Answer::ok("good")
            }
        });
        let line = fetch(&server.expect("a server"), "--backoff 0..0")
            .exits(0)
            .line();
        assert_eq!(line["attempts"], 2, "{line}");
    }
    let closed = ClosedPort::new().expect("a port");
    let folder = Folder::new();
    let args = format!("fetch http://{}/ --retries 2 --backoff 0..0", closed.addr());
    assert_eq!(folder.run(&args).exits(1).line()["attempts"], 3);
}

#[test]
fn any_exit_that_is_no_success_is_retried_or_those_that_are_chosen() {
    let calls = |flags: &str, script: &str| {
        let (folder, _) = run(
            &format!("--backoff 0..0 {flags}"),
            &format!("echo >> ran; {script}"),
        );
        folder.read("ran").lines().count()
    };
    assert_eq!(calls("--retries 1", "exit 7"), 2);
    assert_eq!(calls("--retries 1", "kill -9 $$"), 2);
    assert_eq!(calls("--retries 1 --ok-exit 7", "exit 7"), 1);
    assert_eq!(calls("--retries 1 --retry-on 7,10-12", "exit 7"), 2);
    assert_eq!(calls("--retries 1 --retry-on 7,10-12", "exit 11"), 2);
    assert_eq!(calls("--retries 1 --retry-on 7", "exit 8"), 1);
    assert_eq!(calls("--retries 1 --retry-on 7", "kill -9 $$"), 1);
    assert_eq!(calls("--retries 1 --retry-on 137", "kill -9 $$"), 2);
}

#[test]
fn what_a_server_asks_for_is_waited_up_to_a_bound() {
    let server = serve(|| Answer::status(429).retry_after(3600));
    let line = fetch(&server, "--retries 1 --backoff 0..0 --retry-after-max 80ms")
        .exits(1)
        .line();
    assert_eq!(waits(&line), [80.0]);
    assert_eq!(line["tries"][0]["error"]["retry_after_ms"], 3_600_000);
    let server = serve(|| Answer::status(503).retry_after(1));
    let line = fetch(&server, "--retries 1 --backoff 0..0").exits(1).line();
    assert!(waits(&line)[0] >= 1000.0, "{line}");
    // By default five minutes: that is more than the job has.
    let server = serve(|| Answer::status(503).retry_after(36_000));
    let line = fetch(&server, "--retries 1 --total-timeout 4m")
        .exits(1)
        .line();
    assert!(text(&line["error"]["message"]).contains("5m"), "{line}");
}

#[test]
fn a_retry_budget_bounds_retries() {
    let (folder, server) = (Folder::new(), serve(|| Answer::status(503)));
    urls(&folder, &server, 40);
    // A tenth of 40 first tries is 4 retries; time brings 2 a second, and ten seconds' worth is there from the start.
    let args = "fetch -i list -o out -j 8 --retries 9 --backoff 0..0 --retry-budget 10%+2/s --progress json";
    let running = folder.run_in_background(args);
    let log = server.wait_until_blocking(|log| log.requests() >= 40 + 26);
    let came = log.exchanges.iter().map(|exchange| &exchange.request);
    let start = log.exchanges[0].request.at;
    for (nth, retry) in (1..).zip(came.filter(|request| request.attempt > 1)) {
        let allowed = 4.0 + 20.0 + 2.0 * (retry.at - start).as_secs_f64() + 0.5;
        assert!(
            f64::from(nth) <= allowed,
            "retry {nth} after {:?}",
            retry.at - start
        );
    }
    running.hears("\"waiting\":");
    running.signal(Signal::TERM);
    running.end().ends_by(Signal::TERM);
}

#[test]
fn without_a_retry_budget_nothing_bounds_them() {
    let (folder, server) = (Folder::new(), serve(|| Answer::status(503)));
    urls(&folder, &server, 100);
    // By default a fifth of the first tries, and ten a second with ten seconds' worth from the start: 120 and some.
    let args = "fetch -i list -q --retries 3 --backoff 0..0 --retry-budget off";
    folder.run(args).exits(1);
    assert_eq!(server.log().requests(), 400);
    // Commands have none by default.
    let list: String = (0..150).map(|n| format!("{n}\n")).collect();
    let ran = folder
        .settled("run -q --retries 1 --backoff 0..0 -- false".split(' '))
        .stdin(list)
        .run()
        .exits(1);
    assert!(ran.lines().iter().all(|line| line["attempts"] == 2));
}

#[test]
fn a_retry_budget_that_is_used_up_ends_no_run_in_a_hang() {
    let (folder, server) = (Folder::new(), serve(|| Answer::status(503)));
    urls(&folder, &server, 12);
    // A share alone comes with one retry a second, so that what waits for it comes through.
    folder
        .run("fetch -i list --retries 1 --backoff 0..0 --retry-budget 0%")
        .exits(1);
    assert_eq!(server.log().requests(), 24);
}

// --rate, --burst, --per-host, --per-host-rate

#[test]
fn a_rate_bounds_how_many_begin_in_a_time() {
    let (folder, server) = (Folder::new(), serve(|| Answer::ok("x")));
    urls(&folder, &server, 6);
    for (rate, least) in [("50/s", 100), ("1200/min", 250)] {
        let before = server.log().requests();
        folder
            .run(&format!("fetch -i list -j 6 --rate {rate}"))
            .exits(0);
        let log = server.log();
        let took = log.exchanges[before + 5].request.at - log.exchanges[before].request.at;
        // Five gaps; the clock of the server reads a request a little after it began.
        assert!(
            took >= Duration::from_millis(least * 8 / 10),
            "{rate}: {took:?}"
        );
    }
    let folder = Folder::new();
    let ran = folder
        .settled("run --rate 20/s -- true".split(' '))
        .stdin("a\nb\nc\n")
        .run()
        .exits(0);
    let started: Vec<_> = ran
        .lines()
        .iter()
        .map(|line| text(&line["started"]))
        .collect();
    assert_eq!(started.len(), 3);
}

#[test]
fn a_burst_may_begin_at_once() {
    let (folder, server) = (Folder::new(), serve(|| Answer::ok("x")));
    urls(&folder, &server, 3);
    // Without the burst this took two hours.
    folder.run("fetch -i list --rate 1/h --burst 3").exits(0);
    folder
        .run("fetch -i list --per-host-rate 1/h --burst 3")
        .exits(0);
    folder
        .run("run -i list --rate 1/h --burst 3 -- true")
        .exits(0);
}

#[test]
fn a_host_has_a_limit_of_its_own() {
    let (folder, one, other) = (Folder::new(), together(2), together(2));
    let list: String = (0..20)
        .flat_map(|n| [one.url(&format!("/{n}\n")), other.url(&format!("/{n}\n"))])
        .collect();
    folder.file("list", list);
    folder.run("fetch -i list -q -j 16 --per-host 2").exits(0);
    for server in [one, other] {
        assert_eq!(server.log().complete(), 20);
        assert!(
            server.connections().opened <= 2,
            "{:?}",
            server.connections()
        );
    }
}

#[test]
fn a_host_has_a_rate_of_its_own() {
    let (folder, one, other) = (
        Folder::new(),
        serve(|| Answer::ok("x")),
        serve(|| Answer::ok("x")),
    );
    // One each may begin at once.
    folder.file("list", format!("{}\n{}\n", one.url("/"), other.url("/")));
    folder.run("fetch -i list --per-host-rate 1/h").exits(0);
    urls(&folder, &one, 3);
    folder.run("fetch -i list --per-host-rate 20/s").exits(0);
    let log = one.log();
    let took = log.exchanges[3].request.at - log.exchanges[1].request.at;
    assert!(took >= Duration::from_millis(80), "{took:?}");
}

// --inline, --save-dir, --max-body

#[test]
fn what_is_longer_than_inline_is_cut_and_flagged() {
    let server = serve(|| Answer::ok("0123456789"));
    let result = &fetch(&server, "--inline 4").exits(0).line()["result"];
    assert_eq!(
        (&result["body"], &result["bytes"], &result["truncated"]),
        (&json!("0123"), &json!(10), &json!(true))
    );
    let result = &fetch(&server, "--inline 10").exits(0).line()["result"];
    assert_eq!(
        (&result["body"], result.get("truncated")),
        (&json!("0123456789"), None)
    );
    let (_, ran) = run("--inline 4", "echo 0123456789; echo abcdefgh >&2");
    assert_eq!(
        ran.exits(0).line()["result"],
        json!({"exit": 0, "stdout": "0123", "stderr": "abcd", "truncated": true})
    );
    let (_, ran) = run("", "head -c 1048577 /dev/zero | tr '\\0' x");
    let ran = ran.exits(0).says("--save-dir");
    let result = &ran.line()["result"];
    assert_eq!(
        (text(&result["stdout"]).len(), &result["truncated"]),
        (1 << 20, &json!(true))
    );
    // A character that would be cut in two is left out.
    assert_eq!(
        fetch(&serve(|| Answer::ok("aü")), "--inline 2").line()["result"]["body"],
        "a"
    );
}

#[test]
fn save_dir_keeps_it_whole_in_files() {
    let (folder, server) = (Folder::new(), serve(|| Answer::fill(5000)));
    let ran = folder
        .settled([
            "fetch",
            &server.url("/"),
            "--inline",
            "10",
            "--save-dir",
            "saved/deep",
        ])
        .run()
        .exits(0);
    let line = ran.line();
    let result = &line["result"];
    let path = text(&result["body_file"]);
    assert_eq!(std::fs::read(&path).expect("the file").len(), 5000);
    assert!(
        path.starts_with('/') && path.ends_with("saved/deep/1.body"),
        "{path}"
    );
    assert_eq!(
        (
            &result["bytes"],
            result.get("truncated"),
            result.get("body")
        ),
        (&json!(5000), None, None)
    );

    let args = [
        "run",
        "--inline",
        "4",
        "--save-dir",
        "saved",
        "--shell",
        "echo 0123456789; echo abc; echo e >&2",
    ];
    let ran = folder.settled(args).stdin("x\n").run().exits(0);
    let line = ran.line();
    assert_eq!(folder.read("saved/1.stdout"), "0123456789\nabc\n");
    assert_eq!(
        (
            text(&line["result"]["stdout_file"]).ends_with("saved/1.stdout"),
            &line["result"]["stderr"]
        ),
        (true, &json!("e\n"))
    );
    // What fits into the line has no file.
    assert!(!folder.join("saved/1.stderr").exists());
}

#[test]
fn a_body_over_the_limit_is_too_large() {
    let line = fetch(&serve(|| Answer::fill(5000)), "--max-body 4999")
        .exits(1)
        .line();
    assert_eq!(
        (&line["outcome"], &line["error"]["kind"], &line["attempts"]),
        (&json!("rejected"), &json!("too_large"), &json!(1))
    );
    fetch(&serve(|| Answer::fill(5000)), "--max-body 5000").exits(0);
    // 64 MiB by default.
    let line = fetch(&serve(|| Answer::fill((64 << 20) + 1)), "--keep none")
        .exits(1)
        .line();
    assert_eq!(line["error"]["kind"], "too_large");
    fetch(&serve(|| Answer::fill(64 << 20)), "--keep none").exits(0);
}

// --ok-status, --ok-exit

#[test]
fn what_a_success_is_can_be_chosen() {
    for (status, flags, code) in [
        (200, "", 0),
        (299, "", 0),
        (404, "", 1),
        (404, "--ok-status 200-299,404", 0),
        (200, "--ok-status 404", 1),
        (503, "--ok-status 503", 0),
    ] {
        let server = serve(move || Answer::status(status));
        fetch(&server, &format!("--retries 1 --backoff 0..0 {flags}")).exits(code);
        let calls = if status == 503 {
            1
        } else {
            server.log().requests()
        };
        assert_eq!(server.log().requests(), calls, "a success is not retried");
    }
    for (exit, flags, code) in [
        ("0", "", 0),
        ("1", "", 1),
        ("3", "--ok-exit 0,2-4", 0),
        ("0", "--ok-exit 1", 1),
    ] {
        run(flags, &format!("exit {exit}")).1.exits(code);
    }
}

// --halt

#[test]
fn halt_soon_lets_running_jobs_finish() {
    let folder = Folder::new();
    folder.file("list", "wait\nfail\nlast\n");
    // `wait` ends only after the halt was said.
    let script = "case $1 in wait) echo >> w; read x < go;; fail) while ! test -e w; do :; done; exit 1;; *) echo >> last;; esac";
    folder.fifo("go");
    let args = [
        "run",
        "-i",
        "list",
        "-o",
        "out",
        "-j",
        "2",
        "--halt",
        "soon,fail=1",
        "--progress",
        "json",
        "--shell",
        script,
    ];
    let running = folder.settled(args).start();
    running.hears("\"failed\":1");
    std::fs::write(folder.join("go"), "\n").expect("a line");
    running.end().exits(3).says("halted: 1 of 1 jobs failed");
    let lines = folder.ledger("out");
    assert_eq!(lines.len(), 2);
    assert!(
        lines
            .iter()
            .any(|line| line["id"] == "1" && line["outcome"] == "fulfilled"),
        "{lines:?}"
    );
    assert!(!folder.join("last").exists());
}

#[test]
fn halt_now_ends_running_jobs() {
    let folder = Folder::new();
    folder.fifo("never");
    folder.file("list", "wait\nfail\nlast\n");
    let script = "case $1 in wait) echo >> w; read x < never;; fail) while ! test -e w; do :; done; exit 1;; *) echo >> last;; esac";
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
    folder.settled(args).run().exits(3).says("halted");
    let lines = folder.ledger("out");
    assert!(
        lines.iter().any(|line| line["id"] == "1"
            && line["outcome"] == "cancelled"
            && line["final"] == false),
        "{lines:?}"
    );
    assert!(!folder.join("last").exists());
}

#[test]
fn halt_counts_failures_or_their_share() {
    let folder = Folder::new();
    let list: String = (1..=100).map(|n| format!("{n}\n")).collect();
    folder.file("list", list);
    let settled = |halt: &str, script: &str| {
        let args = [
            "run", "-i", "list", "-j", "1", "--halt", halt, "--shell", script,
        ];
        folder.settled(args).run().lines().len()
    };
    assert_eq!(settled("soon,fail=3", "false"), 3);
    assert_eq!(settled("soon,fail=3", "test $1 -lt 50"), 52);
    // A share is judged from the twentieth job on.
    assert_eq!(settled("soon,fail=50%", "false"), 20);
    assert_eq!(settled("soon,fail=50%", "test $1 -gt 10"), 100);
    assert_eq!(settled("soon,fail=10%", "test $1 -lt 91"), 100);
    assert_eq!(settled("soon,fail=10%", "test $1 -lt 41"), 45);
}

// Methods that are not idempotent

#[test]
fn a_post_is_retried_only_where_it_surely_was_not_processed() {
    let calls = |flags: &str, answer: fn() -> Answer| {
        let server = serve(answer);
        fetch(&server, &format!("--retries 1 --backoff 0..0 {flags}"));
        server.log().requests()
    };
    let failed = || Answer::status(503);
    let reset = || Answer::ok("x").reset(At::Start);
    for method in ["POST", "PATCH"] {
        assert_eq!(calls(&format!("-X {method} -d x"), failed), 1, "{method}");
        assert_eq!(calls(&format!("-X {method} -d x"), reset), 1, "{method}");
        assert_eq!(
            calls(&format!("-X {method} -d x --retry-unsafe"), failed),
            2,
            "{method}"
        );
        assert_eq!(
            calls(&format!("-X {method} -d x --retry-unsafe"), reset),
            2,
            "{method}"
        );
        assert_eq!(
            calls(&format!("-X {method} -d x --idempotency-key"), failed),
            2,
            "{method}"
        );
        assert_eq!(
            calls(&format!("-X {method} -d x"), || Answer::status(429)),
            2,
            "{method}"
        );
    }
    for method in ["GET", "HEAD", "PUT", "DELETE", "OPTIONS"] {
        assert_eq!(calls(&format!("-X {method}"), failed), 2, "{method}");
    }
    // A connection that was never made.
    let closed = ClosedPort::new().expect("a port");
    let folder = Folder::new();
    let args = format!(
        "fetch http://{}/ -X POST -d x --retries 1 --backoff 0..0",
        closed.addr()
    );
    assert_eq!(folder.run(&args).exits(1).line()["attempts"], 2);
}

#[test]
fn an_idempotency_key_is_stable_for_a_job_and_a_ledger() {
    let server = Server::start_blocking(|_| Answer::status(503)).expect("a server");
    let folder = Folder::new();
    let url = server.url("/");
    folder.file("list", format!("{{\"id\":\"a\",\"url\":\"{url}a\",\"body\":\"x\"}}\n{{\"id\":\"b\",\"url\":\"{url}b\",\"body\":\"x\"}}\n"));
    let args = "fetch -i list --idempotency-key --retries 2 --backoff 0..0 --retry-budget off";
    folder.run(&format!("{args} -o out")).exits(1);
    folder
        .run(&format!("{args} -o out --redo rejected"))
        .exits(1);
    folder.run(&format!("{args} -o other")).exits(1);
    let log = server.log();
    let keys = |target: &str| -> Vec<String> {
        log.of(target)
            .map(|exchange| {
                exchange
                    .request
                    .header("idempotency-key")
                    .expect("a key")
                    .to_owned()
            })
            .collect()
    };
    let (a, b) = (keys("/a"), keys("/b"));
    assert_eq!((a.len(), b.len()), (9, 9));
    // The same for all tries of a job, also on resume; another for another job, and in another ledger.
    assert!(
        a[..6].iter().all(|key| *key == a[0]) && a[6..].iter().all(|key| *key == a[6]),
        "{a:?}"
    );
    assert!(a[0] != b[0] && a[0] != a[6] && b[0] != b[6], "{a:?} {b:?}");
}

// Waiting for a retry

#[test]
fn a_job_that_waits_for_a_retry_holds_no_slot_and_is_counted() {
    let server = Server::start_blocking(|request| match request.target.as_str() {
        "/1" | "/2" => Answer::status(503).retry_after(3600),
        _ => Answer::ok("x"),
    });
    let (server, folder) = (server.expect("a server"), Folder::new());
    urls(&folder, &server, 5);
    let running = folder.run_in_background(
        "fetch -i list -o out -j 1 --total-timeout none --retry-after-max 1h --progress json",
    );
    server.wait_until_blocking(|log| log.of("/5").count() == 1);
    // Both wait, three are done, and nothing runs.
    loop {
        let said = running.hears("\"waiting\":2");
        let progress: Value = serde_json::from_str(&said).expect("JSON");
        if (
            &progress["progress"]["in_flight"],
            &progress["progress"]["fulfilled"],
        ) == (&json!(0), &json!(3))
        {
            break;
        }
    }
    running.signal(Signal::INT);
    running
        .end()
        .ends_by(Signal::INT)
        .says("3 fulfilled")
        .says("2 interrupted");
}

#[test]
fn a_host_that_is_full_keeps_nobody_else_waiting() {
    let gate = Gate::new();
    let (held, count) = (gate.clone(), Arc::new(AtomicUsize::new(0)));
    let slow =
        Server::start_blocking(move |_| Answer::ok("x").hold(At::Start, &held)).expect("a server");
    let seen = Arc::clone(&count);
    let quick = Server::start_blocking(move |_| {
        seen.fetch_add(1, Ordering::Relaxed);
        Answer::ok("x")
    });
    let (quick, folder) = (quick.expect("a server"), Folder::new());
    let list: String = (0..50)
        .map(|n| slow.url(&format!("/{n}\n")))
        .chain((0..5).map(|n| quick.url(&format!("/{n}\n"))))
        .collect();
    folder.file("list", list);
    let running = folder.run_in_background("fetch -i list -q -j 4 --per-host 2");
    quick.wait_until_blocking(|log| log.complete() == 5);
    assert_eq!(slow.log().complete(), 0);
    gate.open();
    running.end().exits(0);
    assert_eq!(count.load(Ordering::Relaxed), 5);
}
