//! reqwest and `buffer_unordered`, the way most Rust programs do it.
//!
//! `http_reqwest FILE CONCURRENCY OUT`: one JSONL line per response; a failed request is a line
//! with status 0.

use std::error::Error;
use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::time::Instant;

use futures_util::{StreamExt, stream};
use reqwest::Client;
use settled_bench::reference::arguments;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let args = arguments::<3>("http_reqwest FILE CONCURRENCY OUT");
    let urls = BufReader::new(File::open(&args[0])?)
        .lines()
        .map_while(Result::ok)
        .enumerate();
    let mut out = BufWriter::new(File::create(&args[2])?);
    let client = Client::builder().no_proxy().tcp_nodelay(true).build()?;
    let mut done = stream::iter(urls)
        .map(|(id, url)| {
            let client = client.clone();
            async move {
                let start = Instant::now();
                let got = get(&client, &url).await;
                (id, url, start.elapsed().as_micros(), got)
            }
        })
        .buffer_unordered(args[1].parse()?);
    while let Some((id, url, us, got)) = done.next().await {
        let (status, bytes) = got.unwrap_or((0, 0));
        writeln!(
            out,
            r#"{{"id":{id},"url":"{url}","status":{status},"bytes":{bytes},"us":{us}}}"#
        )?;
    }
    Ok(out.flush()?)
}

async fn get(client: &Client, url: &str) -> reqwest::Result<(u16, usize)> {
    let response = client.get(url).send().await?;
    let status = response.status().as_u16();
    Ok((status, response.bytes().await?.len()))
}
