//! Waiting for several: `all`, `all_settled`, `any`, `race`, `series`, and the keyed forms.

mod answers;
mod cancel;
mod children;
mod coop;
mod example;
mod hostile;
mod model;
mod panics;

mod threads;
mod uses;
mod wakes;
