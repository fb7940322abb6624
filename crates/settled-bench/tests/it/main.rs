//! The harness measures what really happens, ends what it starts, and the references do all of
//! their work.

mod figures;
mod harness;
mod measure;
#[cfg(feature = "peers")]
mod references_http;
mod references_spawn;
mod table;
