//! Jobs that wait, for a retry or for a place at their host: every one of them goes on, and none of them once the run has stopped.

use std::sync::atomic::{AtomicUsize, Ordering};

use rustix::process::Signal;
use settled_testserver::{Answer, At, Gate, Server};

use crate::tool::{Folder, settled_as, wait_until};

/// A list of `count` URLs of a server, told under each of these names.
fn list(folder: &Folder, server: &Server, names: &[&str], count: usize) {
    let port = server.addr().port();
    let urls = names
        .iter()
        .flat_map(|name| (0..count).map(move |n| format!("http://{name}:{port}/{n}\n")));
    folder.file("list", urls.collect::<String>());
}

#[test]
fn everybody_who_waits_behind_a_host_that_was_down_goes_on_when_it_is_up_again() {
    let (folder, came) = (Folder::new(), AtomicUsize::new(0));
    // A quarter of the room is full of retries before the first of them is due; what is new waits behind them then.
    let server = Server::start_blocking(move |_| {
        if came.fetch_add(1, Ordering::Relaxed) < 300 {
            Answer::status(503).retry_after(1)
        } else {
            Answer::ok("x")
        }
    })
    .expect("a server");
    list(&folder, &server, &["127.0.0.1"], 2000);
    let flags = "fetch -i list -o ledger -q -j 4 --threads 1 --retry-budget off";
    folder.run(flags).exits(0);
    assert_eq!(folder.ledger("ledger").len(), 2000);
}

#[test]
fn after_the_first_int_no_job_takes_over_the_place_at_its_host() {
    for threads in ["1", "2"] {
        let (folder, quick, slow) = (Folder::new(), Gate::new(), Gate::new());
        let held = (quick.clone(), slow.clone());
        let server = Server::start_blocking(move |request| {
            let is_slow = request
                .header("host")
                .is_some_and(|host| host.starts_with("localhost"));
            Answer::ok("x").hold(At::Start, if is_slow { &held.1 } else { &held.0 })
        })
        .expect("a server");
        // Two places at each of two hosts keep all four slots busy; hundreds wait for a place at the quick one.
        list(&folder, &server, &["127.0.0.1", "localhost"], 400);
        let flags = "fetch -i list -o ledger -j 4 --per-host 2 --threads";
        let run = folder.run_in_background(&format!("{flags} {threads}"));
        server.wait_until_blocking(|log| log.requests() == 4);
        run.signal(Signal::INT);
        run.hears("nothing new starts");
        quick.open();
        wait_until("the lines of the quick host", || {
            (folder.ledger("ledger").len() >= 2).then_some(())
        });
        slow.open();
        run.end().ends_by(Signal::INT);
        assert_eq!(server.log().requests(), 4);
        let lines = settled_as(&folder.ledger("ledger"));
        assert_eq!(lines.len(), 4, "{lines:?}");
        assert!(lines.iter().all(|(_, outcome)| outcome == "fulfilled"));
    }
}
