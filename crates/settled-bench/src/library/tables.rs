//! What is measured: names that start with `settled` are ours, those with `floor` are what somebody
//! would write by hand for this very case, everybody else is a peer.

use crate::peer::{NODE_ALONE, PYTHON, Peer, reference};
use crate::tool::Tool;

/// One table.
#[derive(Debug)]
pub struct Part {
    /// The second argument of each case.
    pub how: &'static str,
    /// What stands above it.
    pub title: &'static str,
    /// Several threads work: CPU time says something that time does not.
    pub parallel: bool,
    /// Its rows.
    pub cases: &'static [Tool],
}

/// The crates that are compared, whose versions are shown.
pub const CRATES: &[&str] = &[
    "tokio",
    "tokio-util",
    "futures-util",
    "futures-buffered",
    "futures-concurrency",
    "async-channel",
    "async-lock",
    "kanal",
];

/// `bench all`.
pub const ALL: &[Part] = &[
    part(
        "ready",
        "1,000 children that are ready at once; per child",
        CHILDREN,
    ),
    part(
        "yielding",
        "1,000 children that are pending once; per child",
        CHILDREN,
    ),
];

/// `bench map`.
pub const MAP: &[Part] = &[
    part(
        "ready",
        "1,000,000 items, 10 at a time, in one task, ready at once; per item",
        ITEMS,
    ),
    part(
        "yielding",
        "1,000,000 items, 10 at a time, in one task, pending once; per item",
        ITEMS,
    ),
    Part {
        parallel: true,
        ..part(
            "spawned",
            "500,000 items, 10 at a time, over all cores; per item",
            SPAWNED,
        )
    },
];

/// `bench timeout`.
pub const TIMEOUT: &[Part] = &[
    part(
        "ready",
        "a time limit around what is ready at once",
        LIMITED,
    ),
    part(
        "in-flight",
        "a time limit around what is pending once, then ready",
        LIMITED,
    ),
    part(
        "ready",
        "a point in time as the limit of what is ready at once",
        LIMITED_AT,
    ),
    part(
        "in-flight",
        "a point in time as the limit of what is pending once, then ready",
        LIMITED_AT,
    ),
];

/// `bench cancel`.
pub const CANCEL: &[Part] = &[part(
    "-",
    "100,000 waiting children, cancelled and gone; per child",
    HELD,
)];

/// `bench semaphore`.
pub const SEMAPHORE: &[Part] = &[
    part(
        "alone",
        "a permit taken and given back, nobody waits",
        PERMITS,
    ),
    part(
        "crowd",
        "64 tasks for 4 permits, one thread; per permit",
        CROWD,
    ),
    Part {
        parallel: true,
        ..part(
            "crowd-on-all-cores",
            "64 tasks for 4 permits, all cores; per permit",
            CROWD,
        )
    },
];

const LIBRARY: Peer = reference("library");

#[rustfmt::skip] // A table: one line a case.
const CHILDREN: &[Tool] = &[
    case("settled::all",                        "all {HOW} settled {MILLIS}"),
    case("settled::all_settled",                "all {HOW} settled-settled {MILLIS}"),
    case("settled Scope::spawn, join",          "all {HOW} settled-spawned {MILLIS}"),
    case("futures-buffered try_join_all",       "all {HOW} buffered-try {MILLIS}"),
    case("futures-buffered join_all",           "all {HOW} buffered {MILLIS}"),
    case("futures try_join_all",                "all {HOW} futures-try {MILLIS}"),
    case("futures join_all",                    "all {HOW} futures {MILLIS}"),
    case("futures-concurrency try_join",        "all {HOW} concurrency-try {MILLIS}"),
    case("futures-concurrency join",            "all {HOW} concurrency {MILLIS}"),
    case("tokio JoinSet::join_all",             "all {HOW} joinset {MILLIS}"),
    node("node Promise.all",                    "{SCRIPTS}/library.mjs all {HOW} {MILLIS}"),
    python("asyncio.gather",                    "{SCRIPTS}/library.py all {HOW} {MILLIS}"),
    case("floor: a Vec polled in a loop",       "all {HOW} floor {MILLIS}"),
];

#[rustfmt::skip] // As above.
const ITEMS: &[Tool] = &[
    case("settled::map for_each",               "map {HOW} settled {MILLIS}"),
    case("settled::map collect",                "map {HOW} settled-collect {MILLIS}"),
    case("settled::map unordered, collect",     "map {HOW} settled-unordered {MILLIS}"),
    case("settled::map collect_settled",        "map {HOW} settled-outcomes {MILLIS}"),
    case("futures-buffered buffered_unordered", "map {HOW} buffered-unordered {MILLIS}"),
    case("futures-buffered buffered_ordered",   "map {HOW} buffered-ordered {MILLIS}"),
    case("futures-buffered .. try_collect",     "map {HOW} buffered-collect {MILLIS}"),
    case("futures-buffered for_each_concurrent", "map {HOW} buffered-for-each {MILLIS}"),
    case("futures buffer_unordered",            "map {HOW} futures-unordered {MILLIS}"),
    case("futures buffered",                    "map {HOW} futures-ordered {MILLIS}"),
    case("futures buffered .. try_collect",     "map {HOW} futures-collect {MILLIS}"),
    case("futures for_each_concurrent",         "map {HOW} futures-for-each {MILLIS}"),
    node("node, 10 workers, one iterator",      "{SCRIPTS}/library.mjs map {HOW} {MILLIS}"),
    python("asyncio, 10 workers, one iterator", "{SCRIPTS}/library.py map {HOW} {MILLIS}"),
    case("floor: 10 places polled in turn",     "map {HOW} floor {MILLIS}"),
];

#[rustfmt::skip] // As above.
const SPAWNED: &[Tool] = &[
    case("settled::map spawned, for_each",      "map {HOW} settled {MILLIS}"),
    case("settled::map .., limit of the cores", "map {HOW} settled-cores {MILLIS}"),
    case("kanal, 10 tasks",                     "map {HOW} kanal {MILLIS}"),
    case("kanal, 10 tasks, 1,000 ahead",        "map {HOW} kanal-1000 {MILLIS}"),
    case("async-channel, 10 tasks",             "map {HOW} async-channel {MILLIS}"),
    case("async-channel, 10 tasks, 1,000 ahead","map {HOW} async-channel-1000 {MILLIS}"),
    case("tokio JoinSet and Semaphore",         "map {HOW} joinset {MILLIS}"),
    case("floor: 10 tasks, one counter",        "map {HOW} floor {MILLIS}"),
];

#[rustfmt::skip] // As above.
const LIMITED: &[Tool] = &[
    case("settled::timeout",                    "timeout {HOW} settled {MILLIS}"),
    case("tokio timeout",                       "timeout {HOW} tokio {MILLIS}"),
    python("asyncio.wait_for",                  "{SCRIPTS}/library.py timeout {HOW} {MILLIS}"),
    case("floor: no limit",                     "timeout {HOW} floor {MILLIS}"),
    case("floor: no limit, one Instant::now",   "timeout {HOW} floor-clock {MILLIS}"),
];

#[rustfmt::skip] // As above.
const LIMITED_AT: &[Tool] = &[
    case("settled::deadline",                   "timeout {HOW} settled-deadline {MILLIS}"),
    case("tokio timeout_at",                    "timeout {HOW} tokio-at {MILLIS}"),
    case("floor: no limit",                     "timeout {HOW} floor {MILLIS}"),
    case("floor: no limit, one Instant::now",   "timeout {HOW} floor-clock {MILLIS}"),
];

#[rustfmt::skip] // As above.
const HELD: &[Tool] = &[
    case("settled::all, dropped",               "cancel {HOW} settled {MILLIS}"),
    case("settled AbortSignal::run of an all",  "cancel {HOW} settled-run {MILLIS}"),
    case("settled AbortSignal::run of each",    "cancel {HOW} settled-each {MILLIS}"),
    case("settled Scope, aborted and joined",   "cancel {HOW} settled-scope {MILLIS}"),
    case("futures FuturesUnordered, dropped",   "cancel {HOW} unordered {MILLIS}"),
    case("futures try_join_all, dropped",       "cancel {HOW} futures {MILLIS}"),
    case("futures-buffered try_join_all, dropped", "cancel {HOW} buffered {MILLIS}"),
    case("futures-concurrency try_join, dropped", "cancel {HOW} concurrency {MILLIS}"),
    case("CancellationToken around each",       "cancel {HOW} token {MILLIS}"),
    case("tokio JoinSet, abort_all and joined", "cancel {HOW} joinset {MILLIS}"),
    python("asyncio tasks, cancel and gather",  "{SCRIPTS}/library.py cancel {HOW} {MILLIS}"),
    case("floor: a Vec, dropped",               "cancel {HOW} floor {MILLIS}"),
];

#[rustfmt::skip] // As above.
const PERMITS: &[Tool] = &[
    case("settled acquire",                     "semaphore {HOW} settled {MILLIS}"),
    case("settled acquire_owned",               "semaphore {HOW} settled-owned {MILLIS}"),
    case("settled try_acquire",                 "semaphore {HOW} settled-try {MILLIS}"),
    case("tokio acquire",                       "semaphore {HOW} tokio {MILLIS}"),
    case("tokio acquire_owned",                 "semaphore {HOW} tokio-owned {MILLIS}"),
    case("tokio try_acquire",                   "semaphore {HOW} tokio-try {MILLIS}"),
    case("async-lock acquire",                  "semaphore {HOW} async-lock {MILLIS}"),
    case("async-lock try_acquire",              "semaphore {HOW} async-lock-try {MILLIS}"),
    python("asyncio.Semaphore",                 "{SCRIPTS}/library.py semaphore {HOW} {MILLIS}"),
    case("floor: an atomic counter",            "semaphore {HOW} floor {MILLIS}"),
];

#[rustfmt::skip] // As above.
const CROWD: &[Tool] = &[
    case("settled acquire",                     "semaphore {HOW} settled {MILLIS}"),
    case("tokio acquire",                       "semaphore {HOW} tokio {MILLIS}"),
    case("async-lock acquire",                  "semaphore {HOW} async-lock {MILLIS}"),
];

const fn part(how: &'static str, title: &'static str, cases: &'static [Tool]) -> Part {
    Part {
        how,
        title,
        parallel: false,
        cases,
    }
}

const fn case(name: &'static str, args: &'static str) -> Tool {
    tool(name, LIBRARY, args)
}

const fn node(name: &'static str, args: &'static str) -> Tool {
    tool(name, NODE_ALONE, args)
}

const fn python(name: &'static str, args: &'static str) -> Tool {
    tool(name, PYTHON, args)
}

const fn tool(name: &'static str, peer: Peer, args: &'static str) -> Tool {
    Tool {
        name,
        peer,
        args,
        share: 1,
    }
}
