//! The HTTP references make every request once and record it.

use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::process::Command;

use settled_bench::interrupt::Interrupt;
use settled_bench::options::ServerKind;
use settled_bench::peer::Toolbox;
use settled_bench::server::Server;
use tempfile::TempDir;

const PROGRAMS: [&str; 4] = [
    env!("CARGO_BIN_EXE_http_epoll"),
    env!("CARGO_BIN_EXE_http_hyper"),
    env!("CARGO_BIN_EXE_http_reqwest"),
    env!("CARGO_BIN_EXE_http_uring"),
];

/// Whether this kernel lets us use io_uring at all; containers often forbid it.
fn can_run(program: &str) -> bool {
    let allowed = !program.ends_with("uring") || io_uring::IoUring::new(1).is_ok();
    if !allowed {
        eprintln!("skipped: io_uring is not allowed here");
    }
    allowed
}

fn server(dir: &Path, interrupt: &Interrupt) -> Server {
    let references = Path::new(env!("CARGO_BIN_EXE_server")).with_file_name("");
    let toolbox = Toolbox {
        dir: dir.into(),
        references,
        settled: "settled".into(),
    };
    Server::start(ServerKind::Hyper, &toolbox, dir, interrupt).unwrap()
}

/// Gets `count` URLs with every program; all of them are asked for and recorded.
fn get_all(count: usize, in_flight: usize) {
    let (dir, interrupt) = (TempDir::new().unwrap(), Interrupt::catch().unwrap());
    let mut server = server(dir.path(), &interrupt);
    let (list, out) = (dir.path().join("list"), dir.path().join("out"));
    let mut urls = String::new();
    for i in 0..count {
        writeln!(urls, "{}/i/{i}", server.base()).unwrap();
    }
    fs::write(&list, urls).unwrap();
    for program in PROGRAMS.into_iter().filter(|program| can_run(program)) {
        let before = server.served().unwrap();
        let mut command = Command::new(program);
        let done = command
            .arg(&list)
            .arg(in_flight.to_string())
            .arg(&out)
            .output()
            .unwrap();
        assert!(done.status.success(), "{program}: {done:?}");
        assert_eq!(server.served().unwrap() - before, count as u64, "{program}");
        let text = fs::read_to_string(&out).unwrap();
        assert_eq!(text.lines().count(), count, "{program}");
        for i in 0..count {
            let line = format!(
                r#"{{"id":{i},"url":"{}/i/{i}","status":200,"bytes":200,"us":"#,
                server.base()
            );
            assert_eq!(text.matches(&line).count(), 1, "{program} id {i}");
        }
    }
    server.stop(&interrupt).unwrap();
}

#[test]
fn every_url_is_asked_for_and_recorded_once() {
    get_all(500, 7);
}

#[test]
fn a_list_shorter_than_the_number_in_flight_is_no_trouble() {
    get_all(3, 16);
}
