//! How far ahead of its consumer a stream goes, and that nothing of it goes on when it is gone.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering::SeqCst};
use std::task::Poll;

use settled_jobs::pages::{End, Pages, PagesConfig, Way};
use settled_testserver::{Answer, At, Gate, Request, Server};

use crate::rig::{config, local, serve};

fn numbered(server: &Server, prefetch: usize) -> PagesConfig {
    let mut config = config(server.url("/"));
    config.way = Way::Numbers {
        param: "page".into(),
        first: None,
    };
    config.prefetch = prefetch;
    config
}

fn page(request: &Request) -> u64 {
    request
        .query("page")
        .and_then(|page| page.parse().ok())
        .expect("a page")
}

#[test]
fn no_page_is_asked_for_beyond_the_bound() {
    for (prefetch, linked) in [
        (0, false),
        (1, false),
        (3, false),
        (0, true),
        (1, true),
        (3, true),
    ] {
        let asked = Arc::new(AtomicI64::new(0));
        let most = Arc::new(AtomicI64::new(i64::MIN));
        let (seen, ahead) = (Arc::clone(&asked), Arc::clone(&most));
        let server = serve(move |request| {
            let page = page(request);
            ahead.fetch_max(page as i64 - seen.load(SeqCst), SeqCst);
            let answer = Answer::json(if page > 40 { "[]" } else { "[1]" });
            match linked && page < 41 {
                true => answer.header("link", format!("<?page={}>; rel=next", page + 1)),
                false => answer,
            }
        });
        let mut config = numbered(&server, prefetch);
        if linked {
            config.start = server.url("/?page=1");
            config.way = Way::Link;
        }
        local(async {
            let mut pages = Pages::start(config).expect("good settings");
            for turn in 0.. {
                // A consumer that is now slow, now fast.
                for _ in 0..turn * 17 % 50 {
                    tokio::task::yield_now().await;
                }
                asked.fetch_add(1, SeqCst);
                let page = pages.next().await.expect("a page").expect("a good one");
                if page.end.is_some() {
                    return;
                }
            }
        });
        let most = most.load(SeqCst);
        assert!(
            most <= prefetch as i64,
            "{most} pages ahead, allowed are {prefetch}"
        );
    }
}

#[test]
fn a_consumer_that_never_asks_gets_no_more_than_the_bound() {
    let server = serve(|_| Answer::json("[1]"));
    let config = numbered(&server, 3);
    local(async {
        let pages = Pages::start(config).expect("good settings");
        server.wait_until(|log| log.complete() >= 3).await;
        pages.close().await;
        server.wait_until(|log| log.connections.open == 0).await;
    });
    assert_eq!(server.shutdown_blocking().requests(), 3);
}

#[test]
fn several_pages_are_under_way_at_once_and_come_in_order() {
    let (first, others) = (Gate::new(), Gate::new());
    let (hold_first, hold_others) = (first.clone(), others.clone());
    let server = serve(move |request| match page(request) {
        1 => Answer::json("[1]").hold(At::Body(1), &hold_first),
        page @ 2..=4 => Answer::json(format!("[{page}]")).hold(At::Start, &hold_others),
        _ => Answer::json("[]"),
    });
    let mut config = numbered(&server, 3);
    config.max_pages = Some(4);
    local(async {
        let mut pages = Pages::start(config).expect("good settings");
        let mut taken = Vec::new();
        let server = &server;
        let order = async {
            server.wait_until(|log| log.requests() >= 4).await;
            others.open();
            server.wait_until(|log| log.complete() >= 3).await;
            first.open();
        };
        let take = async {
            while let Some(page) = pages.next().await {
                taken.extend(page.expect("a good one").items().map(str::to_owned));
            }
        };
        tokio::join!(order, take);
        assert_eq!(taken, ["1", "2", "3", "4"]);
    });
}

#[test]
fn the_end_ends_the_pages_beyond_it() {
    let never = Gate::new();
    let server = serve(move |request| match page(request) {
        1 => Answer::json("[1]"),
        2 => Answer::json("[]"),
        _ => Answer::json("[3]").hold(At::Start, &never),
    });
    let config = numbered(&server, 4);
    local(async {
        let mut pages = Pages::start(config).expect("good settings");
        let mut last = None;
        while let Some(page) = pages.next().await {
            last = page.expect("a good one").end;
        }
        assert_eq!(last, Some(End::Empty));
        server.wait_until(|log| log.connections.open == 0).await;
    });
    let log = server.shutdown_blocking();
    assert!(log.requests() <= 6, "{} requests", log.requests());
}

#[test]
fn dropping_it_ends_what_is_under_way() {
    let never = Gate::new();
    let server = serve(move |request| match page(request) {
        1 => Answer::json("[1]"),
        _ => Answer::json("[3]").hold(At::Body(1), &never),
    });
    for close in [false, true] {
        let config = numbered(&server, 2);
        let before = server.log().requests();
        local(async {
            let mut pages = Pages::start(config).expect("good settings");
            assert!(pages.next().await.is_some_and(|page| page.is_ok()));
            server.wait_until(|log| log.requests() - before >= 3).await;
            match close {
                true => pages.close().await,
                false => drop(pages),
            }
            server.wait_until(|log| log.connections.open == 0).await;
        });
        assert_eq!(server.log().requests() - before, 3);
    }
    let log = server.shutdown_blocking();
    assert_eq!(log.complete(), 2);
}

#[test]
fn a_page_that_was_asked_for_in_vain_is_not_lost() {
    let gate = Gate::new();
    let held = gate.clone();
    let server = serve(move |request| {
        let answer = Answer::json(format!("[{}]", page(request)));
        answer.hold(At::Start, &held)
    });
    let config = numbered(&server, 0);
    local(async {
        let mut pages = Pages::start(config).expect("good settings");
        for _ in 0..5 {
            let mut next = pin!(pages.next());
            poll_fn(|cx| {
                assert!(next.as_mut().poll(cx).is_pending());
                Poll::Ready(())
            })
            .await;
        }
        gate.open();
        for number in 1..=3 {
            let page = pages.next().await.expect("a page").expect("a good one");
            assert_eq!(page.number, number);
        }
        pages.close().await;
    });
    assert_eq!(server.shutdown_blocking().requests(), 3);
}

#[test]
fn a_stream_whose_runtime_is_gone_does_not_pass_for_complete() {
    let never = Gate::new();
    let server = serve(move |_| Answer::json("[1]").hold(At::Start, &never));
    let config = numbered(&server, 1);
    let mut pages = local(async { Pages::start(config).expect("good settings") });
    let next = local(async move { pages.next().await });
    let error = next.expect("something").expect_err("an error");
    assert_eq!(error.to_string(), "stopped after page 0");
}

#[test]
fn settings_that_can_not_be_used_are_refused_at_once() {
    let server = serve(|_| panic!("nothing is to be asked for"));
    let wrong = |change: &dyn Fn(&mut PagesConfig)| {
        let mut config = numbered(&server, 1);
        change(&mut config);
        local(async { Pages::start(config).expect_err("no stream").to_string() })
    };
    assert!(wrong(&|config| config.start = "items".into()).contains("the first page's URL"));
    assert!(
        wrong(&|config| config.start = "ftp://a.example/".into()).contains("only http and https")
    );
    assert!(wrong(&|config| config.start += "?page=two").contains("no page number"));
    assert!(wrong(&|config| config.max_pages = Some(0)).contains("0 pages"));
    assert!(wrong(&|config| config.fetch.base_url = Some("x".into())).contains("base URL"));
}
