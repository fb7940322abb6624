//! The "1" of bulk GET: hyper, one current-thread runtime per core, one task per connection that
//! keeps it alive.
//!
//! `http_hyper FILE CONCURRENCY OUT`: gets every URL of FILE and writes one JSONL line per response
//! to OUT. It does what every bulk client has to do and nothing else: no ids, retries, timeouts or
//! limits; the first failure ends it. Only the HOST:PORT of the first line is used; the threads
//! share one buffered reader of the list.

use std::cell::RefCell;
use std::error::Error;
use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use http_body_util::{BodyExt, Empty};
use hyper::body::Bytes;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::{Request, Uri};
use settled_bench::reference::{arguments, cores, share};
use tokio::task::{LocalSet, spawn_local};

type Lines = Mutex<std::iter::Enumerate<std::io::Lines<BufReader<File>>>>;
type Failure = Box<dyn Error + Send + Sync>;

/// A core's outcome lines are handed on when there are this many bytes of them.
const FLUSH_AT: usize = 60_000;

/// What all threads share.
struct Run {
    lines: Lines,
    out: Mutex<BufWriter<File>>,
    host: String,
}

fn main() -> Result<(), Failure> {
    let args = arguments::<3>("http_hyper FILE CONCURRENCY OUT");
    let concurrency: usize = args[1].parse()?;
    let mut first = String::new();
    BufReader::new(File::open(&args[0])?).read_line(&mut first)?;
    let uri: Uri = first.trim().parse()?;
    let host = uri
        .authority()
        .ok_or("the first URL names no host")?
        .to_string();
    let list = BufReader::with_capacity(1 << 16, File::open(&args[0])?);
    let run = Arc::new(Run {
        lines: Mutex::new(list.lines().enumerate()),
        out: Mutex::new(BufWriter::new(File::create(&args[2])?)),
        host,
    });
    let threads: Vec<_> = (0..cores())
        .map(|core| {
            let (run, connections) = (run.clone(), share(concurrency, cores(), core));
            std::thread::spawn(move || on_core(run, connections))
        })
        .collect();
    for thread in threads {
        thread.join().map_err(|_| "a thread panicked")??;
    }
    run.out.lock().expect("no thread panicked").flush()?;
    Ok(())
}

fn on_core(run: Arc<Run>, connections: usize) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    LocalSet::new().block_on(&runtime, async move {
        let log = Rc::new(RefCell::new(Vec::new()));
        let all: Vec<_> = (0..connections)
            .map(|_| spawn_local(connection(run.clone(), log.clone())))
            .collect();
        for one in all {
            one.await??;
        }
        run.out
            .lock()
            .expect("no thread panicked")
            .write_all(&log.borrow())?;
        Ok(())
    })
}

async fn connection(run: Arc<Run>, log: Rc<RefCell<Vec<u8>>>) -> Result<(), Failure> {
    let stream = tokio::net::TcpStream::connect(&run.host).await?;
    stream.set_nodelay(true)?;
    let (mut send, driver) = handshake(hyper_util::rt::TokioIo::new(stream)).await?;
    spawn_local(driver);
    loop {
        let line = run.lines.lock().expect("no thread panicked").next();
        let Some((id, url)) = line else { return Ok(()) };
        let url = url?;
        let start = Instant::now();
        let (status, bytes) = get(&mut send, &url.parse()?, &run.host).await?;
        let us = start.elapsed().as_micros();
        let mut log = log.borrow_mut();
        writeln!(
            log,
            r#"{{"id":{id},"url":"{url}","status":{status},"bytes":{bytes},"us":{us}}}"#
        )?;
        if log.len() > FLUSH_AT {
            run.out
                .lock()
                .expect("no thread panicked")
                .write_all(&log)?;
            log.clear();
        }
    }
}

async fn get(
    send: &mut SendRequest<Empty<Bytes>>,
    uri: &Uri,
    host: &str,
) -> Result<(u16, usize), Failure> {
    let request = Request::get(uri.path())
        .header("host", host)
        .body(Empty::<Bytes>::new())?;
    let mut response = send.send_request(request).await?;
    let mut bytes = 0;
    while let Some(frame) = response.frame().await {
        bytes += frame?.data_ref().map_or(0, Bytes::len);
    }
    Ok((response.status().as_u16(), bytes))
}
