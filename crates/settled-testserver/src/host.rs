//! What every server here has: a listener, its connections, and an end of them all.

use std::any::Any;
use std::future::{Future, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, mpsc};
use std::task::Poll;
use std::thread;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::runtime;
use tokio::sync::oneshot;
use tokio::task::{JoinError, JoinHandle, JoinSet};

use crate::connection::{self, Rules, Service};

/// How long to wait before accepting again when the system refuses a connection (no file descriptor left, mostly).
const BREATHER: Duration = Duration::from_millis(10);

type Panic = Box<dyn Any + Send>;

/// A listener with its connections, running.
#[derive(Debug)]
pub(crate) struct Host {
    pub(crate) addr: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    ended: oneshot::Receiver<Option<Panic>>,
    runner: Option<Runner>,
}

#[derive(Debug)]
enum Runner {
    Task(JoinHandle<()>),
    Thread(thread::JoinHandle<()>),
}

impl Host {
    /// Binds `addr` and serves on the caller's runtime.
    pub(crate) async fn start<S: Service>(
        addr: SocketAddr,
        service: Arc<S>,
        rules: Rules,
    ) -> io::Result<Self> {
        let listener = TcpListener::bind(addr).await?;
        let addr = listener.local_addr()?;
        let (stop, stopped) = oneshot::channel();
        let (end, ended) = oneshot::channel();
        let task = tokio::spawn(async move {
            let _ = end.send(serve(listener, service, rules, stopped).await);
        });
        Ok(Self {
            addr,
            stop: Some(stop),
            ended,
            runner: Some(Runner::Task(task)),
        })
    }

    /// Binds `addr` and serves on an own thread with an own runtime.
    pub(crate) fn start_blocking<S: Service>(
        addr: SocketAddr,
        service: Arc<S>,
        rules: Rules,
    ) -> io::Result<Self> {
        let runtime = runtime::Builder::new_current_thread()
            .enable_io()
            .enable_time()
            .build()?;
        let (bound, binding) = mpsc::sync_channel(1);
        let (stop, stopped) = oneshot::channel();
        let (end, ended) = oneshot::channel();
        let thread = thread::Builder::new()
            .name("testserver".to_owned())
            .spawn(move || {
                runtime.block_on(async {
                    match TcpListener::bind(addr)
                        .await
                        .and_then(|listener| Ok((listener.local_addr()?, listener)))
                    {
                        Ok((addr, listener)) => {
                            let _ = bound.send(Ok(addr));
                            let _ = end.send(serve(listener, service, rules, stopped).await);
                        }
                        Err(error) => {
                            let _ = bound.send(Err(error));
                        }
                    }
                });
            })?;
        let addr = binding.recv().map_err(io::Error::other)??;
        Ok(Self {
            addr,
            stop: Some(stop),
            ended,
            runner: Some(Runner::Thread(thread)),
        })
    }

    /// Closes everything and waits until it is gone; a handler's panic goes on here.
    pub(crate) async fn shutdown(&mut self) {
        self.stop.take();
        // An error: the runtime that it ran on was dropped, and everything with it.
        let panic = (&mut self.ended).await.unwrap_or_default();
        match self.runner.take() {
            Some(Runner::Task(task)) => drop(task.await),
            Some(Runner::Thread(thread)) => drop(thread.join()),
            None => {}
        }
        resume(panic);
    }

    /// [`shutdown`](Self::shutdown) for threads outside of any runtime; panics inside one.
    pub(crate) fn shutdown_blocking(mut self) {
        self.stop.take();
        let (_, nobody) = oneshot::channel();
        let panic = std::mem::replace(&mut self.ended, nobody)
            .blocking_recv()
            .unwrap_or_default();
        drop(self);
        resume(panic);
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        self.stop.take();
        match self.runner.take() {
            Some(Runner::Task(task)) => task.abort(),
            // It is told to stop, and nothing on it takes time.
            Some(Runner::Thread(thread)) => drop(thread.join()),
            None => {}
        }
    }
}

fn resume(panic: Option<Panic>) {
    if let Some(panic) = panic {
        std::panic::resume_unwind(panic);
    }
}

enum Event {
    Stop,
    Ended(Result<(), JoinError>),
    Accepted(io::Result<(TcpStream, SocketAddr)>),
}

/// Accepts until it is told to stop, then ends all connections and joins them. Gives the first panic of a handler.
async fn serve<S: Service>(
    listener: TcpListener,
    service: Arc<S>,
    rules: Rules,
    mut stop: oneshot::Receiver<()>,
) -> Option<Panic> {
    let rules = Arc::new(rules);
    let mut connections = JoinSet::new();
    let mut panic = None;
    let mut serial = 0;
    loop {
        match next(
            &listener,
            &mut connections,
            &mut stop,
            rules.max_connections,
        )
        .await
        {
            Event::Stop => break,
            Event::Ended(result) => panic = panic.or(panic_of(result)),
            Event::Accepted(Ok((tcp, _))) => {
                serial += 1;
                connections.spawn(connection::run(tcp, serial, service.clone(), rules.clone()));
            }
            Event::Accepted(Err(_)) => tokio::time::sleep(BREATHER).await,
        }
    }
    drop(listener);
    connections.abort_all();
    while let Some(result) = connections.join_next().await {
        panic = panic.or(panic_of(result));
    }
    panic
}

/// What happens next. At `max` connections no further one is accepted until one of them has ended.
async fn next(
    listener: &TcpListener,
    connections: &mut JoinSet<()>,
    stop: &mut oneshot::Receiver<()>,
    max: usize,
) -> Event {
    poll_fn(|cx| {
        if Pin::new(&mut *stop).poll(cx).is_ready() {
            return Poll::Ready(Event::Stop);
        }
        if let Poll::Ready(Some(result)) = connections.poll_join_next(cx) {
            return Poll::Ready(Event::Ended(result));
        }
        if connections.len() < max {
            return listener.poll_accept(cx).map(Event::Accepted);
        }
        Poll::Pending
    })
    .await
}

fn panic_of(result: Result<(), JoinError>) -> Option<Panic> {
    result.err().and_then(|error| error.try_into_panic().ok())
}
