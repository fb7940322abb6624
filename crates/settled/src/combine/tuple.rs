//! A child of its own type: what tuples are made of.

use std::future::Future;
use std::panic::{self, AssertUnwindSafe};
use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

use crate::slots::Payload;

pin_project! {
    /// A future until it has ended, and then what is kept of what it gave. It is dropped as soon as it has ended.
    pub(super) struct Child<F, T> {
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

    /// What was kept.
    pub(super) fn take(self: Pin<&mut Self>) -> Option<T> {
        self.project().kept.take()
    }
}

/// Drops the losers among some children, all of them, and goes on with the first panic: `first`, or one of a destructor.
macro_rules! let_go {
    ($first:expr, $($child:ident)+) => {
        let first: Result<(), $crate::slots::Payload> = $first;
        $(let first = match $child.as_mut().let_go() {
            Err(payload) if first.is_ok() => Err(payload),
            _ => first,
        };)+
        if let Err(payload) = first {
            std::panic::resume_unwind(payload);
        }
    };
}
pub(super) use let_go;

/// Calls `$macro` with the generic names of each tuple of up to twelve.
macro_rules! for_each_tuple {
    ($macro:ident) => {
        $macro!(A a);
        $macro!(A a, B b);
        $macro!(A a, B b, C c);
        $macro!(A a, B b, C c, D d);
        $macro!(A a, B b, C c, D d, E e);
        $macro!(A a, B b, C c, D d, E e, F f);
        $macro!(A a, B b, C c, D d, E e, F f, G g);
        $macro!(A a, B b, C c, D d, E e, F f, G g, H h);
        $macro!(A a, B b, C c, D d, E e, F f, G g, H h, I i);
        $macro!(A a, B b, C c, D d, E e, F f, G g, H h, I i, J j);
        $macro!(A a, B b, C c, D d, E e, F f, G g, H h, I i, J j, K k);
        $macro!(A a, B b, C c, D d, E e, F f, G g, H h, I i, J j, K k, L l);
    };
}
pub(super) use for_each_tuple;
