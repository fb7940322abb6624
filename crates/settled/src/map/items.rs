//! Where the items come from: an iterator, or a stream.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_core::Stream;
use pin_project_lite::pin_project;

/// Items from an iterator.
#[derive(Debug)]
pub enum Iter {}

/// Items from a stream.
#[derive(Debug)]
pub enum Streamed {}

/// What [`map`](crate::map()) takes: an iterator, or a [`Stream`]. `Kind` is found out by the compiler and never named.
pub trait Items<Kind> {
    /// What is to be worked on.
    type Item;
    /// The same in one shape.
    type Source: Source<Item = Self::Item>;

    #[doc(hidden)]
    fn into_source(self) -> Self::Source;
}

/// Items one at a time, as a stream has them.
pub trait Source {
    /// What is to be worked on.
    type Item;

    #[doc(hidden)]
    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>>;
}

/// An iterator as a [`Source`].
pub struct FromIter<I>(pub(super) I);

// It is never pinned.
impl<I> Unpin for FromIter<I> {}

impl<I> fmt::Debug for FromIter<I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FromIter").finish_non_exhaustive()
    }
}

impl<I: Iterator> Source for FromIter<I> {
    type Item = I::Item;

    #[inline]
    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<I::Item>> {
        Poll::Ready(self.0.next())
    }
}

impl<I: IntoIterator> Items<Iter> for I {
    type Item = I::Item;
    type Source = FromIter<I::IntoIter>;

    fn into_source(self) -> Self::Source {
        FromIter(self.into_iter())
    }
}

pin_project! {
    /// A stream as a [`Source`].
    pub struct FromStream<S> {
        #[pin]
        pub(super) stream: S,
    }
}

impl<S> fmt::Debug for FromStream<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FromStream").finish_non_exhaustive()
    }
}

impl<S: Stream> Source for FromStream<S> {
    type Item = S::Item;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<S::Item>> {
        self.project().stream.poll_next(cx)
    }
}

impl<S: Stream> Items<Streamed> for S {
    type Item = S::Item;
    type Source = FromStream<S>;

    fn into_source(self) -> Self::Source {
        FromStream { stream: self }
    }
}
