//! Waiting for several at once: [`all`](all()), [`all_settled`](all_settled()), [`any`](any()), [`race`](race()); for one after the other: [`series`](series()); and the same
//! with keys.
//!
//! Each takes an iterator of futures of one type, or a tuple of futures of different types. What it takes is a trait of
//! its own ([`All`] for [`all`](all())), which exists for these two kinds and is never named: the compiler finds out which
//! kind it is, so leave both type arguments of the functions alone.
//!
//! A child that uses up what tokio lets a task do in one go leaves nothing to those behind it: then, and only then, the next poll
//! begins with another one than the first.
//!
//! None of them starts a task, and none of them lets a child go on: who loses is dropped before the answer is there.

mod all;
mod all_settled;
mod any;
mod keyed;
mod race;
mod series;
mod settlement;
mod tuple;

use std::panic;

pub use all::{All, all};
pub use all_settled::{AllSettled, all_settled};
pub use any::{Any, AnyError, any};
pub use keyed::{KeyedError, all_keyed, all_settled_keyed, any_keyed, race_keyed};
pub use race::{Empty, Race, race};
pub use series::{Series, series};
pub use settlement::Settlement;

use crate::crew::Crew;
use crate::slots::Payload;

/// Children from an iterator.
#[derive(Debug)]
pub enum Iter {}

/// Children in a tuple.
#[derive(Debug)]
pub enum Tuple {}

/// These futures have no name that is worth saying.
macro_rules! unnamed {
    ($($Future:ident<$($T:ident),+>),+) => {
        $(impl<$($T),+> std::fmt::Debug for $Future<$($T),+> {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.debug_struct(stringify!($Future)).finish_non_exhaustive()
            }
        })+
    };
}
use unnamed;

/// Drops the losers. A destructor that panics does not keep the others from being dropped.
fn let_go<F>(crew: &mut Crew<F>) {
    if let Some(payload) = crew.clear() {
        panic::resume_unwind(payload);
    }
}

/// A child's panic goes on, after the others were dropped; what their destructors say then is too late to be heard.
fn resume<F>(crew: &mut Crew<F>, payload: Payload) -> ! {
    drop(crew.clear());
    panic::resume_unwind(payload)
}
