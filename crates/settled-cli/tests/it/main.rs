//! The contract of the command-line tool, row by row and sentence by sentence, against the real binary.

mod exit;
mod flags;
mod foreign;
mod input;
mod load;
mod record;
mod resume;
mod schema;
mod show;
mod signals;
mod stdout;
mod template;
mod terminal;
mod tool;
mod waiting;
