//! Fetches a URL, and gives up after so many seconds or on Ctrl-C.
//!
//! ```text
//! cargo run -p settled --features signal --example abort_fetch -- [URL [SECONDS]]
//! ```
//!
//! Without a URL it asks a server of its own that never answers; without a number of seconds, it waits for five. An aborted
//! fetch gives nothing, and is no failure; every other error is reported as it is.

use std::error::Error;
use std::io;
use std::process::ExitCode;
use std::time::Duration;

use settled::AbortSignal;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run(std::env::args().skip(1)).await {
        Ok(Some(answer)) => print!("{answer}"),
        Ok(None) => println!("nothing"),
        Err(error) => {
            eprintln!("abort_fetch: {error}");
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

pub(crate) async fn run(
    mut arguments: impl Iterator<Item = String>,
) -> Result<Option<String>, Box<dyn Error>> {
    // It takes connections for as long as it is there, and says nothing on them.
    let silent = TcpListener::bind("127.0.0.1:0").await?;
    let url = match arguments.next() {
        Some(url) => url,
        None => format!("http://{}/", silent.local_addr()?),
    };
    let seconds = arguments
        .next()
        .map_or(Ok(5.0), |seconds| seconds.parse())?;
    let limit = AbortSignal::timeout(Duration::try_from_secs_f64(seconds)?);

    let signal = AbortSignal::any([limit, AbortSignal::ctrl_c()?]);
    Ok(signal.run(fetch(&url)).or_none_if_aborted().await?)
}

/// The plainest of HTTP requests. The connection is closed when this is dropped, wherever it stands.
async fn fetch(url: &str) -> io::Result<String> {
    let invalid = || io::Error::new(io::ErrorKind::InvalidInput, "a URL begins with http://");
    let rest = url.strip_prefix("http://").ok_or_else(invalid)?;
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    let mut connection = match host.contains(':') {
        true => TcpStream::connect(host).await?,
        false => TcpStream::connect((host, 80)).await?,
    };
    let request = format!("GET /{path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    connection.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    connection.read_to_end(&mut answer).await?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}
