//! `fetch`, against real servers on the loopback interface that misbehave on purpose.

mod bodies;
mod connections;
mod faults;
mod lines;
mod names;
mod private;
mod proxy;
mod redirects;
mod requests;
mod retries;
mod rig;
mod tls;
