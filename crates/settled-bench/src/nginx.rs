//! An nginx of our own: its configuration, and its count of requests.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::error::{Doing, Result};
use crate::reference::cores;

/// The command that starts nginx on `address` with all of its files in `dir`.
///
/// # Errors
/// If they can't be written.
pub fn command(program: &Path, dir: &Path, address: &str) -> Result<Command> {
    let prefix = dir.join("nginx");
    fs::create_dir_all(&prefix).doing("making a folder for nginx")?;
    let config = prefix.join("nginx.conf");
    fs::write(&config, configuration(address)).doing("writing nginx.conf")?;
    let mut command = Command::new(program);
    command.arg("-p").arg(&prefix).arg("-c").arg(&config);
    // Before it has read its configuration, nginx would log to the machine's own log.
    command.arg("-e").arg(prefix.join("error.log"));
    Ok(command)
}

/// Every path answers 200 with a 200-byte body; connections are never closed for having served too
/// much.
fn configuration(address: &str) -> String {
    format!(
        "worker_processes {cores};
daemon off;
pid nginx.pid;
error_log error.log;
events {{ worker_connections 4096; }}
http {{
  access_log off;
  keepalive_requests 1000000000;
  keepalive_timeout 1h;
  tcp_nodelay on;
  client_body_temp_path body;
  server {{
    listen {address} reuseport backlog=4096;
    default_type text/plain;
    location = /count {{ stub_status; }}
    location / {{ return 200 \"{body}\"; }}
  }}
}}
",
        cores = cores(),
        body = "x".repeat(200)
    )
}

/// The number of requests in what `stub_status` says, that question included.
#[must_use]
pub fn requests(status: &str) -> Option<u64> {
    // Active connections: 1 / server accepts handled requests / 3 3 17
    status
        .lines()
        .nth(2)?
        .split_whitespace()
        .nth(2)?
        .parse()
        .ok()
}

#[cfg(test)]
mod tests {
    use super::requests;

    #[test]
    fn the_count_of_requests_is_the_third_number() {
        let status =
            "Active connections: 1 \nserver accepts handled requests\n 3 3 17 \nReading: 0\n";
        assert_eq!(requests(status), Some(17));
        assert_eq!(requests("nonsense"), None);
    }
}
