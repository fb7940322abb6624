//! Where items go.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::PermissionsExt;

use rustix::process::Signal;
use settled_testserver::{Answer, At, Gate};

use crate::tool::{command, end_unread, kill, list, page, serve, settled};

#[test]
fn items_go_to_standard_output_and_all_else_to_standard_error() {
    let server = serve(|request| list(request, 3));
    for way in [
        "",
        "--more /hasMore",
        "--cursor /next",
        "--page-param page --more /hasMore",
    ] {
        let ran = settled(&server.url("/list"), &format!("--items /data {way}"));
        let ran = ran.exits(0).says("settled: 3 pages, 3 items in ");
        assert_eq!(ran.out, "{\"n\":1}\n{\"n\":2}\n{\"n\":3}\n", "{way}");
        assert_eq!(ran.err.lines().count(), 1, "{}", ran.err);
    }
    let quiet = settled(&server.url("/list"), "--items /data -q").exits(0);
    assert_eq!(quiet.err, "");
    let json = settled(&server.url("/list"), "--items /data --progress json").exits(0);
    let last = json
        .err
        .lines()
        .rev()
        .nth(1)
        .expect("a line before the summary");
    let last: serde_json::Value = serde_json::from_str(last).expect("JSON");
    assert_eq!(last["progress"]["pages"], 3);
    assert_eq!(last["progress"]["items"], 3);
}

#[test]
fn a_file_is_private_and_is_replaced_only_where_that_is_asked_for() {
    let server = serve(|request| match request.path() {
        "/gone" => Answer::status(404),
        _ => list(request, 2),
    });
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("items.jsonl");
    let to_file = format!("--items /data -o {}", file.display());
    let read = || fs::read_to_string(&file).expect("the file");

    // A file that was made for nothing is taken away again.
    settled(&server.url("/gone"), &to_file)
        .exits(1)
        .says("404 Not Found");
    assert!(!file.exists());

    assert_eq!(settled(&server.url("/list"), &to_file).exits(0).out, "");
    assert_eq!(read(), "{\"n\":1}\n{\"n\":2}\n");
    let mode = fs::metadata(&file).expect("the file").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);

    let before = server.log().requests();
    settled(&server.url("/list"), &to_file)
        .exits(2)
        .says("--overwrite replaces it");
    assert_eq!(server.log().requests(), before);
    settled(
        &server.url("/list?page=2"),
        &format!("{to_file} --overwrite"),
    )
    .exits(0);
    assert_eq!(read(), "{\"n\":2}\n");

    settled(
        &server.url("/list"),
        &format!("-o {}", folder.path().display()),
    )
    .exits(2);
    settled(&server.url("/list"), "--items /data -o /dev/full")
        .exits(4)
        .says("-o /dev/full: items can't be written");
}

#[test]
fn a_reader_that_leaves_ends_it_quietly_and_nothing_more_is_asked_for() {
    let never = Gate::new();
    let server = serve(move |request| match page(request) {
        1 => list(request, 9),
        _ => list(request, 9).hold(At::Start, &never),
    });
    let mut child = command(&server.url("/list"), "--items /data")
        .spawn()
        .expect("it starts");
    let mut line = String::new();
    let mut reader = BufReader::new(child.stdout.take().expect("standard output"));
    reader.read_line(&mut line).expect("a line");
    assert_eq!(line, "{\"n\":1}\n");
    server.wait_until_blocking(|log| log.requests() >= 2);
    // As `head -1` does. The second page never comes: the end of the reader is noticed all the same.
    drop(reader);
    let ran = end_unread(child).ends_by(Signal::PIPE);
    assert_eq!(ran.err, "");
    assert_eq!(server.shutdown_blocking().requests(), 2);
}

#[test]
fn a_reader_that_is_slow_slows_the_requests_down() {
    let server = serve(|request| {
        let page = page(request);
        let large = "x".repeat(200_000);
        Answer::page(
            &[format!("\"{large}\"")],
            Some(&format!("?page={}", page + 1)),
        )
    });
    let mut child = command(&server.url("/"), "--items /data")
        .spawn()
        .expect("it starts");
    // The first page is more than a pipe takes, the second one is fetched meanwhile.
    let mut reader = child.stdout.take().expect("standard output");
    reader.read_exact(&mut [0]).expect("the beginning");
    server.wait_until_blocking(|log| log.complete() >= 2);
    kill(&child, Signal::INT);
    end_unread(child)
        .ends_by(Signal::INT)
        .says("INT: stopped before a page was written, in the middle of writing page 1: the last line may be cut off");
    assert_eq!(server.shutdown_blocking().requests(), 2);
}
