//! The figures of docs/performance.md, each tool beside its peers: run by `cargo xtask bench fetch
//! | spawn | list | all | map | timeout | cancel | semaphore`.
//!
//! | module | what it does |
//! |---|---|
//! | [`options`] | the command line |
//! | [`peer`], [`install`] | the measured programs: where they are, how to get them |
//! | [`tool`] | one row of a table: a peer and how it is called |
//! | [`child`], [`measure`], [`interrupt`], [`lock`] | one command, bounded: what it cost |
//! | [`server`], [`nginx`] | the loopback server that counts what it served |
//! | [`fetch`], [`spawn`], [`list`] | the benches of the command line |
//! | [`library`] | the benches of the library |
//! | [`rounds`] | every tool in turn, several times |
//! | [`figures`], [`table`], [`machine`] | medians, ratios, tables, the machine |
//! | [`mod@reference`] | what the reference programs of `src/bin` share |
//!
//! The rules of every figure: ratios within one run on one machine; medians over rounds in which
//! every tool runs once; the work that was really done is counted by the server, not by the tool.

pub mod child;
pub mod error;
pub mod fetch;
pub mod figures;
pub mod install;
pub mod interrupt;
pub mod library;
pub mod list;
pub mod lock;
pub mod machine;
pub mod measure;
pub mod nginx;
pub mod options;
pub mod peer;
pub mod reference;
pub mod rounds;
pub mod server;
pub mod spawn;
pub mod table;
pub mod tool;
