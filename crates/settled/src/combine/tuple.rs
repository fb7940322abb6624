//! A child of its own type, and several of them: what tuples are made of.
//!
//! All futures of the verbs have names, which nobody has to say. An `impl Future` would bring along the type of the iterator that the
//! children came from, and a task that waits for `all(urls.iter().map(|url| ..))` could not be spawned: the compiler wants to see
//! then that the closure takes references of all lifetimes.

use std::future::Future;
use std::panic::{self, AssertUnwindSafe};
use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

use super::unnamed;
use crate::slots::Payload;

pin_project! {
    /// A future until it has ended, and then what is kept of what it gave. It is dropped as soon as it has ended.
    pub struct Child<F, T> {
        #[pin]
        future: Option<F>,
        kept: Option<T>,
    }
}

/// Why a child ends more than itself.
pub(super) enum Stop<B> {
    Break(B),
    Panicked(Payload),
}

impl<F: Future, T> Child<F, T> {
    pub(super) fn new(future: F) -> Self {
        Self {
            future: Some(future),
            kept: None,
        }
    }

    /// Nothing, before it is set to a child.
    pub(super) fn ended() -> Self {
        Self {
            future: None,
            kept: None,
        }
    }

    /// Polls it if it has not ended. What it ends with is kept, if `keep` says so, or else given back.
    pub(super) fn poll<B>(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        keep: impl FnOnce(F::Output) -> Result<T, B>,
    ) -> Option<Stop<B>> {
        let mut this = self.project();
        let future = this.future.as_mut().as_pin_mut()?;
        // `AssertUnwindSafe`: a future that panicked is dropped right here.
        let output = match panic::catch_unwind(AssertUnwindSafe(|| future.poll(cx))) {
            Ok(Poll::Pending) => return None,
            Ok(Poll::Ready(output)) => Ok(output),
            Err(payload) => Err(payload),
        };
        let dropped = panic::catch_unwind(AssertUnwindSafe(|| this.future.set(None)));
        match (output, dropped) {
            (Err(payload), _) | (Ok(_), Err(payload)) => Some(Stop::Panicked(payload)),
            (Ok(output), Ok(())) => match keep(output) {
                Ok(kept) => {
                    *this.kept = Some(kept);
                    None
                }
                Err(answer) => Some(Stop::Break(answer)),
            },
        }
    }

    pub(super) fn has_ended(&self) -> bool {
        self.future.is_none()
    }

    /// Keeps this in place of what it would have given.
    pub(super) fn keep(self: Pin<&mut Self>, kept: T) {
        *self.project().kept = Some(kept);
    }

    /// Drops the future, whatever its destructor does.
    pub(super) fn let_go(self: Pin<&mut Self>) -> Result<(), Payload> {
        panic::catch_unwind(AssertUnwindSafe(|| self.project().future.set(None)))
    }

    /// What was kept, of which there is something.
    pub(super) fn take(self: Pin<&mut Self>) -> T {
        let kept = self.project().kept.take();
        kept.expect("it has ended, and that was kept")
    }
}

/// Polls each child once, which is called `$child` in `$poll`. Says whether all have ended.
macro_rules! in_turn {
    ($children:ident, $($f:ident)+, $child:ident => $poll:expr) => {{
        assert!(!*$children.over, "it is polled again after it was ready");
        let had_budget = tokio::task::coop::has_budget_remaining();
        let mut count = 0;
        // Those from the first on, and then those before it.
        for before in [false, true] {
            count = 0;
            $(
                if before == (count < *$children.first) {
                    let $child = $children.$f.as_mut();
                    $poll
                }
                count += 1;
            )+
        }
        *$children.first = $crate::crew::next_first(*$children.first, count, had_budget);
        *$children.over = true $(&& $children.$f.has_ended())+;
        *$children.over
    }};
}
pub(super) use in_turn;

/// Drops the losers among some children, all of them, and goes on with the first panic: `first`, or one of a destructor.
macro_rules! let_go {
    ($first:expr, $children:ident, $($f:ident)+) => {
        *$children.over = true;
        let first: Result<(), $crate::slots::Payload> = $first;
        $(let first = match $children.$f.as_mut().let_go() {
            Err(payload) if first.is_ok() => Err(payload),
            _ => first,
        };)+
        if let Err(payload) = first {
            std::panic::resume_unwind(payload);
        }
    };
}
pub(super) use let_go;

/// Calls `$macro` with the generic names of each tuple of up to twelve, and the name of its pinned form.
macro_rules! for_each_tuple {
    ($macro:ident) => {
        $macro!(Of1 A a);
        $macro!(Of2 A a, B b);
        $macro!(Of3 A a, B b, C c);
        $macro!(Of4 A a, B b, C c, D d);
        $macro!(Of5 A a, B b, C c, D d, E e);
        $macro!(Of6 A a, B b, C c, D d, E e, F f);
        $macro!(Of7 A a, B b, C c, D d, E e, F f, G g);
        $macro!(Of8 A a, B b, C c, D d, E e, F f, G g, H h);
        $macro!(Of9 A a, B b, C c, D d, E e, F f, G g, H h, I i);
        $macro!(Of10 A a, B b, C c, D d, E e, F f, G g, H h, I i, J j);
        $macro!(Of11 A a, B b, C c, D d, E e, F f, G g, H h, I i, J j, K k);
        $macro!(Of12 A a, B b, C c, D d, E e, F f, G g, H h, I i, J j, K k, L l);
    };
}
pub(super) use for_each_tuple;

macro_rules! pinned {
    ($Of:ident $($F:ident $f:ident),+) => {
        pin_project! {
            /// So many children of different types, pinned where they are.
            pub struct $Of<$($F),+> {
                $(#[pin] pub(super) $f: $F,)+
                // With whom the next round begins.
                pub(super) first: usize,
                // The answer was given.
                pub(super) over: bool,
            }
        }

        impl<$($F),+> $Of<$($F),+> {
            pub(super) fn new(($($f,)+): ($($F,)+)) -> Self {
                Self { $($f,)+ first: 0, over: false }
            }
        }

        unnamed!($Of<$($F),+>);
    };
}
for_each_tuple!(pinned);
