//! The API that misbehaves from a seed.

use std::net::SocketAddr;
use std::time::Instant;

use settled_testserver::misbehaving::{Asked, Fate, Fates, Misbehaving};

use crate::client::{Client, End, header, once};

/// Much of everything, so that a few hundred items meet it all.
const ROUGH: Fates = Fates {
    slow: 0.02,
    too_many: 0.1,
    internal: 0.1,
    unavailable: 0.1,
    reset: 0.1,
    cut: 0.1,
    hang_up: 0.1,
    stale: 0.1,
    stall: 0.0,
    gone: 0.1,
};

fn seed() -> u64 {
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    seed
}

/// A whole answer's status and body, or `None`.
fn whole(addr: SocketAddr, target: &str) -> Option<(u16, String)> {
    let (all, _) = once(addr, target);
    let (head, body) = all.split_once("\r\n\r\n")?;
    let whole = header(head, "content-length")?.parse() == Ok(body.len());
    whole.then(|| (head[9..12].parse().unwrap(), body.to_owned()))
}

/// Asks until the thing is settled; how often that was.
fn settle(addr: SocketAddr, target: &str) -> (u32, u16, String) {
    for attempt in 1..=4 {
        match whole(addr, target) {
            Some((status @ (200 | 404), body)) => return (attempt, status, body),
            Some((429 | 500 | 503, _)) | None => {}
            Some(other) => panic!("{target}: {other:?}"),
        }
    }
    panic!("{target}: not settled by its fourth attempt");
}

#[test]
fn everything_comes_through_by_the_third_attempt_and_is_told() {
    let api = Misbehaving::builder(seed())
        .fates(ROUGH)
        .items(400)
        .start_blocking()
        .unwrap();
    let expected: Vec<_> = (1..=400)
        .map(|n| (n, settle(api.addr(), &format!("/item/{n}"))))
        .collect();
    let fates: Vec<Vec<_>> = (1..=400)
        .map(|n| (1..=3).map(|attempt| api.fate(n, attempt)).collect())
        .collect();
    let tally = api.shutdown_blocking();
    for ((n, (attempts, status, body)), fates) in expected.iter().zip(&fates) {
        let settles = fates
            .iter()
            .position(|fate| fate.is_good() || *fate == Fate::Gone)
            .unwrap();
        assert_eq!(*attempts as usize, settles + 1, "item {n}: {fates:?}");
        assert_eq!(*status, if fates[0] == Fate::Gone { 404 } else { 200 });
        if *status == 200 {
            assert_eq!(*body, format!("{{\"id\":{n},\"name\":\"item {n}\"}}"));
        }
        let asked = tally.item(*n).unwrap();
        assert_eq!(
            (asked.requests, asked.settled, asked.status),
            (*attempts, 1, Some(*status)),
            "item {n}"
        );
        assert_eq!((asked.limited, asked.most_at_once), (0, 1));
    }
    let totals = tally.totals();
    assert_eq!(
        totals.requests,
        expected
            .iter()
            .map(|(_, settled)| u64::from(settled.0))
            .sum::<u64>()
    );
    assert_eq!(totals.good + totals.gone, 400);
    assert_eq!(
        totals.fates().map(|(_, count)| count).sum::<u64>(),
        totals.requests
    );
    for name in [
        "429", "500", "503", "reset", "cut", "hang_up", "stale", "404",
    ] {
        assert!(
            totals
                .fates()
                .any(|(found, count)| found == name && count > 0),
            "no {name} in {totals:?}"
        );
    }
    assert_eq!((tally.item(0), tally.items().count()), (None, 400));
}

#[test]
fn the_default_brings_everything_through_many_at_once() {
    let api = Misbehaving::builder(seed())
        .items(1_600)
        .start_blocking()
        .unwrap();
    std::thread::scope(|scope| {
        for lane in 0..32 {
            let api = &api;
            scope.spawn(move || {
                (1..=50).for_each(|n| drop(settle(api.addr(), &format!("/item/{}", lane * 50 + n))))
            });
        }
    });
    let gone = (1..=1_600)
        .filter(|n| api.fate(*n, 1) == Fate::Gone)
        .count() as u64;
    let tally = api.shutdown_blocking();
    let totals = tally.totals();
    assert_eq!(
        (
            totals.good,
            totals.gone,
            totals.now,
            totals.connections.open
        ),
        (1_600 - gone, gone, 0, 0)
    );
    assert_eq!(totals.connections.opened, totals.requests);
    assert!(
        tally
            .items()
            .all(|(_, item)| item.settled == 1 && item.most_at_once == 1)
    );
    assert!((2..=32).contains(&totals.most_at_once), "{totals:?}");
}

#[test]
fn the_same_seed_is_the_same_trouble() {
    let seed = seed();
    let run = |seed| {
        let api = Misbehaving::builder(seed)
            .fates(ROUGH)
            .start_blocking()
            .unwrap();
        (1..=100)
            .map(|n| [1, 2, 3].map(|_| once(api.addr(), &format!("/item/{n}"))))
            .collect::<Vec<_>>()
    };
    let first = run(seed);
    assert_eq!(first, run(seed));
    assert_ne!(first, run(seed ^ 1));
}

#[test]
fn each_fate_is_what_it_says() {
    let one = |fates: Fates| {
        let api = Misbehaving::builder(seed())
            .fates(fates)
            .start_blocking()
            .unwrap();
        let (all, end) = Client::get(api.addr(), "/item/1").rest();
        let fate = api.fate(1, 1);
        let asked = api.shutdown_blocking().item(1).unwrap();
        (fate, all, end, asked)
    };
    let (_, all, end, asked) = one(Fates {
        stale: 1.0,
        ..Fates::none()
    });
    assert!(
        all.starts_with("HTTP/1.1 200")
            && all.ends_with('}')
            && header(&all, "connection").is_none(),
        "{all}"
    );
    assert_eq!((end, asked.settled), (End::Closed, 1));
    let (fate, all, end, asked) = one(Fates {
        reset: 1.0,
        ..Fates::none()
    });
    assert!(
        matches!(fate, Fate::Reset(_)) && !all.ends_with('}'),
        "{all}"
    );
    assert_eq!((end, asked.settled, asked.status), (End::Reset, 0, None));
    let (_, all, end, asked) = one(Fates {
        cut: 1.0,
        ..Fates::none()
    });
    assert!(
        all.starts_with("HTTP/1.1 200") && !all.ends_with('}'),
        "{all}"
    );
    assert_eq!((end, asked.settled, asked.status), (End::Closed, 0, None));
    let (_, all, end, asked) = one(Fates {
        hang_up: 1.0,
        ..Fates::none()
    });
    assert_eq!((all.as_str(), end, asked.settled), ("", End::Closed, 0));
}

#[test]
fn a_status_comes_with_its_header() {
    for (fates, status) in [
        (
            Fates {
                too_many: 1.0,
                ..Fates::none()
            },
            429,
        ),
        (
            Fates {
                internal: 1.0,
                ..Fates::none()
            },
            500,
        ),
        (
            Fates {
                unavailable: 1.0,
                ..Fates::none()
            },
            503,
        ),
        (
            Fates {
                gone: 1.0,
                ..Fates::none()
            },
            404,
        ),
    ] {
        let api = Misbehaving::builder(seed())
            .fates(fates)
            .start_blocking()
            .unwrap();
        let (head, _) = Client::get(api.addr(), "/item/1").answer();
        assert!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{head}");
        let retry_after = header(&head, "retry-after");
        assert!(
            if status == 429 {
                matches!(retry_after, Some("0" | "1"))
            } else {
                retry_after.is_none()
            },
            "{head}"
        );
    }
}

#[test]
fn a_stalled_request_ends_when_the_client_leaves() {
    let api = Misbehaving::builder(1)
        .fates(Fates {
            stall: 1.0,
            ..Fates::none()
        })
        .start_blocking()
        .unwrap();
    let client = Client::get(api.addr(), "/item/1");
    api.wait_until_blocking(|tally| tally.totals().now == 1);
    drop(client);
    api.wait_until_blocking(|tally| {
        tally.totals().now == 0 && tally.totals().connections.open == 0
    });
    assert_eq!(api.tally().item(1).unwrap().settled, 0);
}

#[test]
fn pages_hold_every_item_once() {
    let api = Misbehaving::builder(seed())
        .fates(ROUGH)
        .items(95)
        .page_size(10)
        .start_blocking()
        .unwrap();
    for (start, prefix) in [("/pages", ""), ("/pages?cursor=", "/pages?cursor=")] {
        let (mut target, mut ids, mut pages) = (start.to_owned(), Vec::new(), 0);
        loop {
            let (_, status, body) = settle(api.addr(), &target);
            assert_eq!(status, 200);
            pages += 1;
            ids.extend(
                body.split("\"id\":")
                    .skip(1)
                    .map(|rest| rest.split(',').next().unwrap().parse::<u64>().unwrap()),
            );
            let next = body
                .split("\"next\":\"")
                .nth(1)
                .and_then(|rest| rest.split('"').next());
            assert_eq!(
                body.ends_with("\"hasMore\":true}"),
                next.is_some(),
                "{body}"
            );
            let Some(next) = next else { break };
            target = format!("{prefix}{next}");
        }
        assert_eq!((ids, pages), ((1..=95).collect::<Vec<_>>(), 10));
    }
    let tally = api.shutdown_blocking();
    assert_eq!(
        tally
            .pages()
            .map(|(n, page)| (n, page.settled))
            .collect::<Vec<_>>(),
        (1..=10).map(|n| (n, 2)).collect::<Vec<_>>()
    );
}

#[test]
fn pages_have_a_link_to_the_next() {
    let api = Misbehaving::builder(1)
        .fates(Fates::none())
        .items(3)
        .page_size(2)
        .start_blocking()
        .unwrap();
    let link = |target| header(&once(api.addr(), target).0, "link").map(str::to_owned);
    assert_eq!(
        link("/pages").as_deref(),
        Some("</pages?page=2>; rel=\"next\"")
    );
    assert_eq!(
        link("/pages?cursor=").as_deref(),
        Some("</pages?cursor=after-1>; rel=\"next\"")
    );
    assert_eq!(
        (link("/pages?page=2"), link("/pages?cursor=after-1")),
        (None, None)
    );
}

#[test]
fn what_there_never_was_is_not_found() {
    let api = Misbehaving::builder(1)
        .fates(Fates::none())
        .items(10)
        .start_blocking()
        .unwrap();
    let targets = [
        "/item/11",
        "/item/x",
        "/item/",
        "/item/-1",
        "/pages?page=0",
        "/pages?page=2",
        "/pages?cursor=1",
        "/x",
        "/pages?cursor=after-18446744073709551615",
        "/item/99999999999999999999",
    ];
    for target in targets {
        assert_eq!(whole(api.addr(), target).unwrap().0, 404, "{target}");
    }
    let tally = api.shutdown_blocking();
    assert_eq!(
        (
            tally.totals().unknown,
            tally.totals().gone,
            tally.items().count()
        ),
        (targets.len() as u64, 0, 0)
    );
}

#[test]
fn the_rate_limit_turns_away_and_says_for_how_long() {
    let api = Misbehaving::builder(1)
        .fates(Fates::none())
        .allow(0.001, 2)
        .start_blocking()
        .unwrap();
    assert_eq!(settle(api.addr(), "/item/1").1, 200);
    assert_eq!(settle(api.addr(), "/item/2").1, 200);
    let (all, _) = once(api.addr(), "/item/1");
    assert!(all.starts_with("HTTP/1.1 429 "), "{all}");
    assert!(
        (1..=1000).contains(&header(&all, "retry-after").unwrap().parse::<u64>().unwrap()),
        "{all}"
    );
    let tally = api.shutdown_blocking();
    let Asked {
        requests,
        limited,
        settled,
        ..
    } = tally.item(1).unwrap();
    assert_eq!(
        (requests, limited, settled, tally.totals().limited),
        (2, 1, 1, 1)
    );
}

#[test]
fn being_turned_away_is_no_attempt() {
    let fates = Fates {
        internal: 1.0,
        ..Fates::none()
    };
    let api = Misbehaving::builder(1)
        .fates(fates)
        .allow(0.001, 1)
        .start_blocking()
        .unwrap();
    let status = || whole(api.addr(), "/item/1").unwrap().0;
    assert_eq!(
        [status(), status(), status(), status()],
        [500, 429, 429, 429]
    );
}

#[test]
fn requests_for_one_item_at_once_are_told() {
    let fates = Fates {
        stall: 1.0,
        ..Fates::none()
    };
    let api = Misbehaving::builder(1)
        .fates(fates)
        .start_blocking()
        .unwrap();
    let before = Instant::now();
    let _clients = [
        Client::get(api.addr(), "/item/1"),
        Client::get(api.addr(), "/item/2"),
    ];
    api.wait_until_blocking(|tally| tally.totals().now == 2);
    let again = Client::get(api.addr(), "/item/1");
    api.wait_until_blocking(|tally| tally.totals().requests == 3);
    drop(again);
    let tally = api.tally();
    let (one, two) = (tally.item(1).unwrap(), tally.item(2).unwrap());
    assert!(one.requests == 2 && two.most_at_once == 1 && tally.totals().most_at_once >= 2);
    assert!(before <= two.last && two.last <= one.last && one.last <= Instant::now());
}

#[tokio::test]
async fn settings_that_mean_nothing_are_refused() {
    let refused = |builder: settled_testserver::misbehaving::Builder| {
        builder.start_blocking().unwrap_err().kind()
    };
    for builder in [
        Misbehaving::builder(1).fates(Fates {
            slow: 2.0,
            ..Fates::none()
        }),
        Misbehaving::builder(1).allow(f64::NAN, 1),
        Misbehaving::builder(1).allow(1.0, 0),
        Misbehaving::builder(1).page_size(0),
        Misbehaving::builder(1).items(u64::MAX),
    ] {
        assert_eq!(refused(builder), std::io::ErrorKind::InvalidInput);
    }
}
