//! 100,000 distinct URLs of an nginx on loopback.

use std::collections::HashMap;
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command};
use std::time::Duration;
use std::{env, fs, thread};

use crate::{assert_code, kill_when_grown, outcomes, settled};

const URLS: u64 = 100_000;
const IN_FLIGHT: usize = 64;

#[test]
fn a_hundred_thousand_urls_are_fulfilled_and_only_those_in_flight_are_asked_for_twice() {
    let dir = tempfile::tempdir().unwrap();
    let Some(nginx) = Nginx::start(dir.path()) else {
        assert!(env::var_os("CI").is_none(), "nginx is missing");
        println!("not tried: nginx is missing (apt-get install nginx-light)");
        return;
    };
    let (list, ledger) = (dir.path().join("urls.txt"), dir.path().join("pages.jsonl"));
    let urls: String = (1..=URLS)
        .map(|n| format!("http://127.0.0.1:{}/i/{n}\n", nginx.port))
        .collect();
    fs::write(&list, urls).unwrap();
    let (list, out) = (list.to_str().unwrap(), ledger.to_str().unwrap());
    let jobs = IN_FLIGHT.to_string();
    let args = [
        "fetch",
        "-q",
        "--no-proxy",
        "-i",
        list,
        "-o",
        out,
        "-j",
        &jobs,
    ];

    assert!(
        kill_when_grown(settled(&args), &ledger, 20_000_000),
        "it was over before it could be killed"
    );
    assert_code(settled(&args).status().unwrap(), 0);

    let found = outcomes(&ledger);
    assert_eq!(found.len() as u64, URLS);
    assert!(
        found
            .values()
            .all(|line| line["outcome"] == "fulfilled" && line["result"]["bytes"] == 200)
    );
    let asked = nginx.stop();
    assert_eq!(asked.len() as u64, URLS);
    let twice = asked.values().filter(|&&times| times > 1).count();
    println!("{twice} of {URLS} were asked for twice");
    assert!(twice <= IN_FLIGHT && asked.values().all(|&times| times <= 2));
}

/// An nginx of our own, with a log of what it was asked for.
struct Nginx {
    child: Child,
    port: u16,
    log: std::path::PathBuf,
}

impl Nginx {
    fn start(dir: &Path) -> Option<Self> {
        let port = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let (config, log) = (dir.join("nginx.conf"), dir.join("access.log"));
        let here = dir.display();
        fs::write(
            &config,
            format!(
                "worker_processes 1; daemon off; pid {here}/nginx.pid; error_log {here}/error.log;
                events {{ worker_connections 512; }}
                http {{
                  log_format uri '$request_uri'; access_log {here}/access.log uri buffer=64k flush=1s;
                  client_body_temp_path {here}; proxy_temp_path {here}; fastcgi_temp_path {here};
                  uwsgi_temp_path {here}; scgi_temp_path {here};
                  keepalive_requests 1000000;
                  server {{ listen 127.0.0.1:{port}; default_type text/plain; location / {{ return 200 \"{}\"; }} }}
                }}",
                "x".repeat(200)
            ),
        )
        .unwrap();
        let child = Command::new("nginx")
            .arg("-p")
            .arg(dir)
            .arg("-c")
            .arg(&config)
            .spawn()
            .ok()?;
        let nginx = Self { child, port, log };
        for _ in 0..2_000 {
            if TcpStream::connect(("127.0.0.1", port)).is_ok() {
                return Some(nginx);
            }
            thread::sleep(Duration::from_millis(5));
        }
        panic!(
            "nginx does not answer: {}",
            fs::read_to_string(dir.join("error.log")).unwrap_or_default()
        );
    }

    /// Ends it (so that it writes the rest of its log) and counts how often each URL was asked for.
    fn stop(mut self) -> HashMap<String, u32> {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::QUIT).unwrap();
        self.child.wait().unwrap();
        let mut asked = HashMap::new();
        for uri in fs::read_to_string(&self.log).unwrap().lines() {
            *asked.entry(uri.to_owned()).or_default() += 1;
        }
        asked
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let pid = rustix::process::Pid::from_child(&self.child);
        // TERM and not KILL: the master ends its workers then.
        if matches!(self.child.try_wait(), Ok(None)) {
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
            let _ = self.child.wait();
        }
    }
}
