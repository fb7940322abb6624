//! As `http_epoll`, over io_uring: linked send and receive, one `submit_and_wait` per turn.
//!
//! `http_uring FILE CONCURRENCY OUT`. It needs a kernel that allows io_uring with deferred task
//! work (6.1 or later).

use std::error::Error;
use std::fs::File;
use std::io::Write;
use std::net::TcpStream;
use std::os::fd::AsRawFd;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use io_uring::squeue::Flags;
use io_uring::types::Fd;
use io_uring::{IoUring, opcode};
use settled_bench::reference::{
    Batch, FLUSH_AT, List, arguments, cores, read_head, share, split_url,
};

type Failure = Box<dyn Error + Send + Sync>;

/// Entries of the submission queue: two are pushed per connection at a time.
const ENTRIES: u32 = 4096;
/// Bytes of a response, head and body together.
const RESPONSE: usize = 4096;
/// The user data of a send; that of a receive is the connection's index.
const SEND: u64 = u64::MAX;

/// A keep-alive connection with one request under way.
///
/// `request` and `response` are what the kernel reads and writes while an operation is under way.
/// Both live on the heap, are never reallocated then, and outlive the ring: see `on_core`.
struct Connection {
    stream: TcpStream,
    id: usize,
    url: String,
    start: Instant,
    request: Vec<u8>,
    response: Box<[u8; RESPONSE]>,
    received: usize,
}

fn main() -> Result<(), Failure> {
    let args = arguments::<3>("http_uring FILE CONCURRENCY OUT");
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
    // Declared before the ring, so dropped after it: the kernel never holds a buffer that is gone.
    let mut connections: Vec<Connection> = Vec::with_capacity(count);
    let mut ring: IoUring = IoUring::builder()
        .setup_single_issuer()
        .setup_defer_taskrun()
        .build(ENTRIES)?;
    while connections.len() < count
        && let Some(job) = batch.pop()?
    {
        let mut connection = Connection::open(&job.1)?;
        connection.send(job, connections.len(), &mut ring)?;
        connections.push(connection);
    }
    let mut live = connections.len();
    let mut log = Vec::with_capacity(FLUSH_AT + 16_000);
    let mut done: Vec<(u64, i32)> = Vec::with_capacity(ENTRIES as usize);
    while live > 0 {
        ring.submit_and_wait(1)?;
        done.extend(
            ring.completion()
                .map(|entry| (entry.user_data(), entry.result())),
        );
        for (index, result) in done.drain(..) {
            if index == SEND || result <= 0 {
                return Err(format!("a send or receive failed: {result}").into());
            }
            let index = index as usize;
            let connection = &mut connections[index];
            connection.received += result as usize;
            if !connection.record(&mut log)? {
                connection.receive_more(index, &mut ring)?;
                continue;
            }
            if log.len() > FLUSH_AT {
                out.lock().expect("no thread panicked").write_all(&log)?;
                log.clear();
            }
            match batch.pop()? {
                Some(job) => connection.send(job, index, &mut ring)?,
                None => live -= 1,
            }
        }
    }
    out.lock().expect("no thread panicked").write_all(&log)?;
    Ok(())
}

impl Connection {
    fn open(url: &str) -> Result<Self, Failure> {
        let stream = TcpStream::connect(split_url(url)?.0)?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            id: 0,
            url: String::new(),
            start: Instant::now(),
            request: Vec::with_capacity(256),
            response: Box::new([0; RESPONSE]),
            received: 0,
        })
    }

    fn send(
        &mut self,
        (id, url): (usize, String),
        index: usize,
        ring: &mut IoUring,
    ) -> Result<(), Failure> {
        (self.id, self.url, self.start, self.received) = (id, url, Instant::now(), 0);
        let (host, path) = split_url(&self.url)?;
        self.request.clear();
        write!(
            self.request,
            "GET {path} HTTP/1.1\r\nHost: {host}\r\nAccept: */*\r\n\r\n"
        )?;
        let fd = Fd(self.stream.as_raw_fd());
        let send = opcode::Send::new(fd, self.request.as_ptr(), self.request.len() as u32)
            .build()
            .flags(Flags::IO_LINK | Flags::SKIP_SUCCESS)
            .user_data(SEND);
        let receive = opcode::Recv::new(fd, self.response.as_mut_ptr(), RESPONSE as u32)
            .build()
            .user_data(index as u64);
        // SAFETY: both buffers are on the heap and owned by this connection, which outlives the
        // ring; neither is touched again before the receive has completed, and the linked send
        // completes before it.
        unsafe { ring.submission().push_multiple(&[send, receive])? };
        Ok(())
    }

    fn receive_more(&mut self, index: usize, ring: &mut IoUring) -> Result<(), Failure> {
        let rest = &mut self.response[self.received..];
        if rest.is_empty() {
            return Err("a response is larger than the buffer".into());
        }
        let receive = opcode::Recv::new(
            Fd(self.stream.as_raw_fd()),
            rest.as_mut_ptr(),
            rest.len() as u32,
        )
        .build()
        .user_data(index as u64);
        // SAFETY: as in `send`; the pointer and the length are those of the unused rest of the
        // buffer.
        unsafe { ring.submission().push(&receive)? };
        Ok(())
    }

    /// Writes the outcome line once the whole answer is there.
    fn record(&self, log: &mut Vec<u8>) -> Result<bool, Failure> {
        let Some(head) = read_head(&self.response[..self.received])? else {
            return Ok(false);
        };
        if self.received < head.end + head.length {
            return Ok(false);
        }
        writeln!(
            log,
            r#"{{"id":{},"url":"{}","status":{},"bytes":{},"us":{}}}"#,
            self.id,
            self.url,
            head.status,
            head.length,
            self.start.elapsed().as_micros()
        )?;
        Ok(true)
    }
}
