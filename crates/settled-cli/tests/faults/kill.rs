//! kill -9 at a random moment, again and again, and then a resume to the end.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::time::Duration;

use fastrand::Rng;
use settled_testserver::{Answer, Server};

use crate::ledger::{committed, settles, whole_lines};
use crate::rig::{Cases, Dir, eventually, kill, random, run, settled, start};

/// How many runs are killed by default; `SETTLED_FAULT_SEEDS` says another number.
const SEEDS: usize = 40;

/// What is run, and how its list is written.
#[derive(Clone, Copy, Debug)]
struct Kind {
    fetch: bool,
    ids: bool,
}

const KINDS: [Kind; 4] = [
    Kind {
        fetch: false,
        ids: false,
    },
    Kind {
        fetch: false,
        ids: true,
    },
    Kind {
        fetch: true,
        ids: false,
    },
    Kind {
        fetch: true,
        ids: true,
    },
];

#[test]
fn killed_at_random_moments_a_list_is_completed_and_only_jobs_in_flight_run_again() {
    let seeds = std::env::var("SETTLED_FAULT_SEEDS").ok();
    let seeds = seeds.map_or(SEEDS, |seeds| seeds.parse().expect("a number"));
    let mut rng = random("kill -9");
    let mut cases = Cases::of("kill -9");
    let mut again = 0;
    let mut kills = 0;
    for round in 0..seeds {
        let seed = rng.u64(..);
        let kind = KINDS[round % KINDS.len()];
        println!("kill -9: round {round}, {kind:?}, seed {seed}");
        let mut list = List::new(kind, Rng::with_seed(seed));
        list.kill_and_resume();
        again += list.runs() - list.count;
        kills += list.kills;
        cases.one_more();
    }
    println!("kill -9: {kills} kills, {again} jobs ran a second time");
    cases.end();
}

/// Where jobs leave a trace when they run.
enum Trace {
    /// A file that each command appends its item to.
    File,
    Server(Server),
}

/// What was committed when a run was killed.
struct Committed {
    ledger: Vec<u8>,
    /// How often each settled item had run by then.
    runs: Vec<(Option<usize>, String)>,
}

struct List {
    dir: Dir,
    kind: Kind,
    rng: Rng,
    count: usize,
    jobs: usize,
    trace: Trace,
    kills: usize,
}

impl List {
    fn new(kind: Kind, mut rng: Rng) -> Self {
        let dir = Dir::new();
        let count = rng.usize(20..if kind.fetch { 400 } else { 80 });
        let jobs = rng.usize(1..=12);
        let trace = if kind.fetch {
            let delay = Duration::from_micros(rng.u64(..3_000));
            Trace::Server(server(delay))
        } else {
            fs::write(dir.path("trace"), "").expect("a file");
            Trace::File
        };
        let list = Self {
            dir,
            kind,
            rng,
            count,
            jobs,
            trace,
            kills: 0,
        };
        let lines: String = (1..=count).map(|item| list.line(item)).collect();
        list.dir.file("list", lines);
        list
    }

    fn line(&self, item: usize) -> String {
        let word = match &self.trace {
            Trace::File => format!("item{item}"),
            Trace::Server(server) => server.url(&format!("/item{item}")),
        };
        match (self.kind.ids, self.kind.fetch) {
            (false, _) => format!("{word}\n"),
            (true, true) => format!("{{\"id\":\"job {item}\",\"url\":\"{word}\"}}\n"),
            (true, false) => format!("{{\"id\":\"job {item}\",\"args\":[\"{word}\"]}}\n"),
        }
    }

    fn id(&self, item: usize) -> String {
        if self.kind.ids {
            format!("job {item}")
        } else {
            item.to_string()
        }
    }

    fn command(&self) -> std::process::Command {
        let (list, ledger) = (self.dir.arg("list"), self.dir.arg("ledger"));
        let jobs = self.jobs.to_string();
        let common = ["-q", "-i", &list, "-o", &ledger, "-j", &jobs];
        // The item is on record before the command can end; every seventh fails.
        let script =
            "printf '%s\\n' \"$1\" >>\"$TRACE\"; case $1 in *[07]) exit 3;; esac; echo \"$1 done\"";
        let mut args = vec![if self.kind.fetch { "fetch" } else { "run" }];
        args.extend(common);
        if !self.kind.fetch {
            args.extend(["--shell", script]);
        }
        let mut command = settled(&args);
        command.env("TRACE", self.dir.path("trace"));
        command
    }

    /// How often each item ran.
    fn trace(&self) -> HashMap<String, usize> {
        let mut count = HashMap::new();
        match &self.trace {
            Trace::File => {
                let text = fs::read_to_string(self.dir.path("trace")).expect("a trace");
                for item in text.lines() {
                    *count.entry(item.to_owned()).or_default() += 1;
                }
            }
            Trace::Server(server) => {
                for exchange in server.log().exchanges {
                    let item = exchange.request.target.trim_start_matches('/');
                    *count.entry(item.to_owned()).or_default() += 1;
                }
            }
        }
        count
    }

    fn runs(&self) -> usize {
        self.trace().values().sum()
    }

    fn ledger(&self) -> Vec<u8> {
        fs::read(self.dir.path("ledger")).unwrap_or_default()
    }

    fn kill_and_resume(&mut self) {
        let mut before = Vec::new();
        for _ in 0..self.rng.usize(1..=4) {
            self.kill_one_run();
            let ledger = whole_lines(&self.ledger()).to_vec();
            let done = self.done(&ledger);
            let trace = self.trace();
            let runs: Vec<_> = done
                .into_iter()
                .map(|item| (trace.get(&item).copied(), item))
                .collect();
            before.push(Committed { ledger, runs });
        }
        let failing = (1..=self.count).any(fails);
        run(&mut self.command()).exits(i32::from(failing));
        self.check(&before);
        // Nothing is left to do.
        let ledger = self.ledger();
        run(&mut self.command()).exits(i32::from(failing));
        assert_eq!(
            self.ledger(),
            ledger,
            "a resume with nothing to do wrote something"
        );
    }

    /// Lets a run come to a random point, and kills it.
    fn kill_one_run(&mut self) {
        let mut child = start(&mut self.command());
        let lines = self.ledger().iter().filter(|&&b| b == b'\n').count();
        if self.rng.bool() {
            let enough = lines + self.rng.usize(..self.count);
            eventually(|| {
                let ended = child.try_wait().expect("a child").is_some();
                let lines = self.ledger().iter().filter(|&&b| b == b'\n').count();
                (ended || lines >= enough).then_some(())
            });
        }
        std::thread::sleep(Duration::from_micros(self.rng.u64(..20_000)));
        kill(&mut child);
        self.kills += 1;
    }

    /// Items with a final line.
    fn done(&self, ledger: &[u8]) -> HashSet<String> {
        let lines = committed(ledger);
        let ids = lines.into_iter().filter(|line| line.is_final);
        ids.map(|line| format!("item{}", line.id.trim_start_matches("job ")))
            .collect()
    }

    fn check(&self, before: &[Committed]) {
        let outcome = |item| if fails(item) { "rejected" } else { "fulfilled" };
        let expected = (1..=self.count).map(|item| (self.id(item), outcome(item).to_owned()));
        settles(&self.dir.path("ledger"), expected);
        let (ledger, trace) = (self.ledger(), self.trace());
        for Committed { ledger: kept, runs } in before {
            assert!(
                ledger.starts_with(kept),
                "a committed line was changed or lost"
            );
            for (count, item) in runs {
                assert!(count.is_some(), "{item} is settled and never ran");
                assert_eq!(
                    trace.get(item).copied(),
                    *count,
                    "{item} was settled and ran again"
                );
            }
        }
        assert_eq!(trace.len(), self.count, "not every job ran");
        let again = self.runs() - self.count;
        assert!(
            again <= self.kills * self.jobs,
            "{again} ran again, {} at once",
            self.jobs
        );
    }
}

fn fails(item: usize) -> bool {
    matches!(item % 10, 0 | 7)
}

fn server(delay: Duration) -> Server {
    let server = Server::start_blocking(move |request| {
        let item = request
            .target
            .trim_start_matches("/item")
            .parse()
            .unwrap_or(0);
        let answer = if fails(item) {
            Answer::status(404)
        } else {
            Answer::ok("done")
        };
        answer.pause(settled_testserver::At::Start, delay)
    });
    server.expect("a server")
}

/// A ledger that takes a while to read is killed while it is read: nothing of it changes.
#[test]
fn killed_while_the_ledger_is_read_nothing_changes() {
    let mut rng = random("kill in the scan");
    let mut cases = Cases::of("kill in the scan");
    let dir = Dir::new();
    let list: String = (1..=30_000).map(|n| format!("{n}\n")).collect();
    let (list, ledger) = (dir.file("list", list), dir.arg("ledger"));
    let args = ["run", "-q", "-i", &list, "-o", &ledger, "--", "true"];
    let plan = crate::memory::plan_line(&args, &dir);
    crate::memory::generate(&dir.path("ledger"), &plan, 1..=29_990, false);
    let before = fs::read(dir.path("ledger")).expect("a ledger");
    for _ in 0..12 {
        let mut child = start(&mut settled(&args));
        std::thread::sleep(Duration::from_micros(rng.u64(..150_000)));
        kill(&mut child);
        let now = fs::read(dir.path("ledger")).expect("a ledger");
        assert!(now.starts_with(&before), "the ledger was changed");
        cases.one_more();
    }
    run(&mut settled(&args)).exits(0);
    settles(&dir.path("ledger"), crate::ledger::all_fulfilled(30_000));
    cases.end();
}
