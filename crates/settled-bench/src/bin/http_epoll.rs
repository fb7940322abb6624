//! The floor of bulk GET: a thread per core, plain epoll, request bytes and header scan written by
//! hand.
//!
//! `http_epoll FILE CONCURRENCY OUT`: one JSONL line per response. No TLS, redirects, chunked
//! bodies or retries, and any failure ends it: it only shows what the kernel allows.

use std::error::Error;
use std::fs::File;
use std::io::{Read, Write};
use std::mem::MaybeUninit;
use std::net::TcpStream;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use rustix::event::epoll;
use settled_bench::reference::{
    Batch, FLUSH_AT, List, arguments, cores, read_head, share, split_url,
};

type Failure = Box<dyn Error + Send + Sync>;

/// A keep-alive connection with one request under way.
struct Connection {
    stream: TcpStream,
    id: usize,
    url: String,
    start: Instant,
    received: Vec<u8>,
}

fn main() -> Result<(), Failure> {
    let args = arguments::<3>("http_epoll FILE CONCURRENCY OUT");
    let concurrency: usize = args[1].parse()?;
    let list = Arc::new(List::open(&args[0])?);
    let out = Arc::new(Mutex::new(File::create(&args[2])?));
    let threads: Vec<_> = (0..cores())
        .map(|core| {
            let (list, out) = (list.clone(), out.clone());
            std::thread::spawn(move || on_core(&list, share(concurrency, cores(), core), &out))
        })
        .collect();
    for thread in threads {
        thread.join().map_err(|_| "a thread panicked")??;
    }
    Ok(())
}

fn on_core(list: &List, count: usize, out: &Mutex<File>) -> Result<(), Failure> {
    let mut batch = Batch::of(list);
    let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
    let mut request = Vec::new();
    let mut connections = connect_all(&mut batch, count, &epoll, &mut request)?;
    let mut live = connections.len();
    let mut log = Vec::with_capacity(FLUSH_AT + 16_000);
    let mut chunk = [0; 16 * 1024];
    let mut events = [MaybeUninit::uninit(); 64];
    while live > 0 {
        let (ready, _) = epoll::wait(&epoll, &mut events, None)?;
        for event in ready {
            let connection = &mut connections[event.data.u64() as usize];
            let got = connection.stream.read(&mut chunk)?;
            if got == 0 {
                return Err("the server closed a connection".into());
            }
            connection.received.extend_from_slice(&chunk[..got]);
            if !record(connection, &mut log)? {
                continue;
            }
            if log.len() > FLUSH_AT {
                out.lock().expect("no thread panicked").write_all(&log)?;
                log.clear();
            }
            match batch.pop()? {
                Some(job) => connection.send(job, &mut request)?,
                None => live -= 1,
            }
        }
    }
    out.lock().expect("no thread panicked").write_all(&log)?;
    Ok(())
}

/// Opens `count` connections, or as many as there are jobs left, with a request under way on each.
fn connect_all(
    batch: &mut Batch<'_>,
    count: usize,
    epoll: &OwnedFd,
    request: &mut Vec<u8>,
) -> Result<Vec<Connection>, Failure> {
    let mut all = Vec::with_capacity(count);
    while all.len() < count
        && let Some(job) = batch.pop()?
    {
        let stream = TcpStream::connect(split_url(&job.1)?.0)?;
        stream.set_nodelay(true)?;
        let data = epoll::EventData::new_u64(all.len() as u64);
        epoll::add(epoll, &stream, data, epoll::EventFlags::IN)?;
        let received = Vec::with_capacity(8192);
        let mut connection = Connection {
            stream,
            id: 0,
            url: String::new(),
            start: Instant::now(),
            received,
        };
        connection.send(job, request)?;
        all.push(connection);
    }
    Ok(all)
}

/// Writes the outcome line once the whole answer is there.
fn record(connection: &mut Connection, log: &mut Vec<u8>) -> Result<bool, Failure> {
    let Some(head) = read_head(&connection.received)? else {
        return Ok(false);
    };
    if connection.received.len() < head.end + head.length {
        return Ok(false);
    }
    writeln!(
        log,
        r#"{{"id":{},"url":"{}","status":{},"bytes":{},"us":{}}}"#,
        connection.id,
        connection.url,
        head.status,
        head.length,
        connection.start.elapsed().as_micros()
    )?;
    connection.received.clear();
    Ok(true)
}

impl Connection {
    fn send(&mut self, (id, url): (usize, String), request: &mut Vec<u8>) -> Result<(), Failure> {
        let (host, path) = split_url(&url)?;
        request.clear();
        write!(
            request,
            "GET {path} HTTP/1.1\r\nHost: {host}\r\nAccept: */*\r\n\r\n"
        )?;
        self.stream.write_all(request)?;
        (self.id, self.url, self.start) = (id, url, Instant::now());
        Ok(())
    }
}
