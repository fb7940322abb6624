//! Twenty users from an API, four at a time, printed in their order.
//!
//! ```text
//! cargo run -p settled --example fetch_limited
//! ```
//!
//! The API is part of the example: it listens on a port of this machine, takes longer for some users than for others, has no user 13, and
//! counts how many requests it has at once.

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use settled::{AbortSignal, Outcome, map};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::sleep;

const USERS: u32 = 20;
const LIMIT: usize = 4;

#[tokio::main]
async fn main() -> io::Result<()> {
    let (lines, most) = run().await?;
    for line in lines {
        println!("{line}");
    }
    println!("never more than {most} requests at once");
    Ok(())
}

/// A line for each user, and how many requests there were at once.
pub(crate) async fn run() -> io::Result<(Vec<String>, usize)> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let api = settled::Scope::new();
    let served = api.spawn(serve(listener));

    let users = map(1..=USERS, |user| fetch(address, user));
    let outcomes = users.limit(LIMIT).collect_settled().await;
    let lines = (1..)
        .zip(outcomes)
        .map(|(user, outcome): (u32, _)| match outcome {
            Outcome::Fulfilled(name) => format!("user {user}: {name}"),
            Outcome::Rejected(error) => format!("user {user}: {error}"),
            other => format!("user {user}: {}", other.kind().name()),
        });

    let lines = lines.collect();
    // The API has a second to end what it does; it has nothing to do any more.
    api.shutdown("that is all", Duration::from_secs(1)).await;
    let most = served.await.into_result().map_err(io::Error::other)?;
    Ok((lines, most))
}

async fn fetch(address: SocketAddr, user: u32) -> io::Result<String> {
    let mut connection = TcpStream::connect(address).await?;
    let request =
        format!("GET /users/{user} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    connection.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    connection.read_to_string(&mut answer).await?;
    match answer.split_once("\r\n\r\n") {
        Some((head, body)) if head.starts_with("HTTP/1.1 200 ") => Ok(body.to_owned()),
        Some((head, _)) => Err(io::Error::other(
            head.lines().next().unwrap_or_default().to_owned(),
        )),
        None => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}

/// Answers until it is told to stop. How many requests it had at once.
async fn serve(listener: TcpListener) -> io::Result<usize> {
    let (now, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let connections = futures_util::stream::poll_fn(|cx| listener.poll_accept(cx).map(Some));
    let stop = AbortSignal::current();
    // Far more than the client asks for: it is the client's limit that is on show.
    let answers = map(
        connections,
        async |accepted: io::Result<(TcpStream, SocketAddr)>| {
            let (connection, _) = accepted?;
            most.fetch_max(now.fetch_add(1, Ordering::Relaxed) + 1, Ordering::Relaxed);
            let answered = answer(connection).await;
            now.fetch_sub(1, Ordering::Relaxed);
            answered
        },
    );
    match stop.run(answers.limit(64).for_each()).await {
        Ok(failed) => failed.map(|()| 0),
        Err(_reason) => Ok(most.into_inner()),
    }
}

async fn answer(mut connection: TcpStream) -> io::Result<()> {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        if connection.read_buf(&mut request).await? == 0 {
            return Ok(());
        }
    }
    let request = String::from_utf8_lossy(&request);
    let path = request.split(' ').nth(1).unwrap_or_default();
    let user: u32 = path.trim_start_matches("/users/").parse().unwrap_or(0);
    sleep(Duration::from_millis(u64::from(user * 7 % 5) * 10)).await;
    let answer = match user {
        0 | 13 => "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n".to_owned(),
        user => format!("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nName {user}"),
    };
    connection.write_all(answer.as_bytes()).await?;
    connection.shutdown().await
}
