//! A small hyper server, where no nginx is to be had: every path answers 200 with a 200-byte body.
//!
//! `server ADDRESS`. `/count` answers how many other requests there were so far.

use std::convert::Infallible;
use std::error::Error;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use settled_bench::reference::arguments;
use tokio::net::TcpListener;

static REQUESTS: AtomicU64 = AtomicU64::new(0);
static BODY: [u8; 200] = [b'x'; 200];

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let [address] = arguments::<1>("server ADDRESS");
    let listener = TcpListener::bind(address).await?;
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        tokio::spawn(async move {
            let io = hyper_util::rt::TokioIo::new(stream);
            // A client that goes away in the middle is its own business.
            let _ = http1::Builder::new()
                .serve_connection(io, service_fn(answer))
                .await;
        });
    }
}

async fn answer(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let body = if request.uri().path() == "/count" {
        REQUESTS.load(Relaxed).to_string().into()
    } else {
        REQUESTS.fetch_add(1, Relaxed);
        Bytes::from_static(&BODY)
    };
    Ok(Response::new(Full::new(body)))
}
