//! A page that is put together from several services: what it can't do without, what it can, and what is there twice.
//!
//! `cargo run -p settled --example dashboard` starts the services itself, on loopback.

use std::error::Error;
use std::io;
use std::time::Duration;

use settled::{Failed, Outcome, Scope, all, all_settled_keyed, any, timeout};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    print!("{}", page().await?);
    Ok(())
}

pub(crate) async fn page() -> Result<String, Box<dyn Error>> {
    let services = Scope::new();
    let api = serve(&services, Duration::ZERO).await?;
    let mirrors = [
        "127.0.0.1:1".to_owned(),
        serve(&services, Duration::from_secs(60)).await?,
        serve(&services, Duration::from_millis(20)).await?,
    ];
    let page = dashboard(&api, &mirrors).await;
    services.abort("the page is done");
    services.join().await;
    page
}

async fn dashboard(api: &str, mirrors: &[String]) -> Result<String, Box<dyn Error>> {
    // Without these two there is no page: the first error is the answer, and the other request is dropped.
    let (user, orders) = all((get(api, "/user/7"), get(api, "/user/7/orders"))).await?;

    // These are nice to have: each comes to an outcome of its own, in no more than half a second.
    let limit = Duration::from_millis(500);
    let widgets = ["news", "weather", "missing"]
        .map(|name| (name, timeout(limit, get(api, name_to_path(name))).settle()));
    let widgets = all_settled_keyed(widgets).await;

    // The logo is on several mirrors: the first that has it wins, and the others are dropped.
    let logo = any(mirrors.iter().map(|mirror| get(mirror, "/logo"))).await?;

    let mut page = format!("{user}\n{orders}\n{logo}\n");
    for (name, outcome) in widgets {
        page += &match outcome {
            Outcome::Fulfilled(text) => format!("{name}: {text}\n"),
            failed => format!("{name}: not today ({})\n", why(failed.into_result())),
        };
    }
    Ok(page)
}

fn name_to_path(name: &str) -> &str {
    match name {
        "news" => "/news",
        "weather" => "/weather",
        _ => "/404",
    }
}

fn why<T>(result: Result<T, Failed<io::Error>>) -> String {
    result
        .err()
        .map_or_else(String::new, |failed| failed.to_string())
}

/// One GET over HTTP/1.1, as small as can be: the body of a 200.
async fn get(host: &str, path: &str) -> io::Result<String> {
    let mut connection = TcpStream::connect(host).await?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    connection.write_all(request.as_bytes()).await?;
    let mut response = String::new();
    connection.read_to_string(&mut response).await?;
    match response.split_once("\r\n\r\n") {
        Some((head, body)) if head.starts_with("HTTP/1.1 200 ") => Ok(body.to_owned()),
        Some((head, _)) => Err(io::Error::other(head.lines().next().unwrap_or_default())),
        None => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}

/// A service that answers after a while, on loopback. Its tasks belong to the scope.
async fn serve(scope: &Scope, delay: Duration) -> io::Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?.to_string();
    let spawner = scope.spawner();
    scope
        .spawn(async move {
            loop {
                let (connection, _) = listener.accept().await?;
                spawner.spawn(answer(connection, delay)).ignore();
            }
            #[expect(unreachable_code, reason = "it says what the error is")]
            Ok::<(), io::Error>(())
        })
        .ignore();
    Ok(address)
}

async fn answer(mut connection: TcpStream, delay: Duration) -> io::Result<()> {
    let mut request = vec![0; 1024];
    let length = connection.read(&mut request).await?;
    let request = String::from_utf8_lossy(&request[..length]).into_owned();
    let path = request.split(' ').nth(1).unwrap_or("/");
    tokio::time::sleep(delay).await;
    let answer = match path {
        "/404" => "HTTP/1.1 404 Not Found\r\nConnection: close\r\n\r\n".to_owned(),
        path => format!("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nthis is {path}"),
    };
    connection.write_all(answer.as_bytes()).await
}
