//! How `settled run` reads its lines and runs them: real commands, started in both ways.

mod decode;
mod drop;
mod endings;
mod isolate;
mod linger;
mod pressure;
mod spawn_errors;
mod stopping;
mod streams;
mod support;
mod surroundings;
mod template;
