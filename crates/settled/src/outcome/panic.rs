//! A panic as a value: [`Panic`].

use std::any::Any;
use std::fmt;
use std::panic;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A panic that was caught.
///
/// Clones are the same panic: the payload that it was raised with is there once, for whoever takes it first.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// # std::panic::set_hook(Box::new(|_| ()));
/// let outcome = settled::settle(async {
///     let list: Vec<u8> = Vec::new();
///     if list.is_empty() {
///         panic!("nothing in the list");
///     }
///     Ok::<_, ()>(list.len())
/// });
/// let settled::Outcome::Panicked(panic) = outcome.await else { panic!("it settled otherwise") };
/// assert_eq!(panic.message(), "nothing in the list");
/// # });
/// ```
#[derive(Clone)]
pub struct Panic(Arc<Caught>);

struct Caught {
    message: Box<str>,
    /// The lock is what makes the payload, which is only `Send`, fit for sharing.
    inner: Mutex<Inner>,
}

struct Inner {
    payload: Option<Box<dyn Any + Send>>,
    /// Who is told when the last clone is gone and nobody has seen the panic.
    unseen: Option<Unseen>,
}

type Unseen = Box<dyn FnOnce(&str, &(dyn Any + Send)) + Send>;

impl Caught {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Caught {
    fn drop(&mut self) {
        let inner = self.inner.get_mut().unwrap_or_else(PoisonError::into_inner);
        if let (Some(unseen), Some(payload)) = (inner.unseen.take(), &inner.payload) {
            unseen(&self.message, &**payload);
        }
    }
}

impl Panic {
    /// Wraps what [`catch_unwind`](panic::catch_unwind) or a thread's `join` gave.
    #[must_use]
    pub fn new(payload: Box<dyn Any + Send>) -> Self {
        let message = match payload.downcast_ref::<&'static str>() {
            Some(text) => (*text).into(),
            None => match payload.downcast_ref::<String>() {
                Some(text) => text.as_str().into(),
                None => "a panic whose payload is no text".into(),
            },
        };
        Self(Arc::new(Caught {
            message,
            inner: Mutex::new(Inner {
                payload: Some(payload),
                unseen: None,
            }),
        }))
    }

    /// From here on somebody is answerable for this panic: `unseen` is called with its message and payload if the last clone
    /// goes without the panic having been [`seen`](Self::seen).
    pub(crate) fn or_else_unseen(
        &self,
        unseen: impl FnOnce(&str, &(dyn Any + Send)) + Send + 'static,
    ) {
        self.0.inner().unseen = Some(Box::new(unseen));
    }

    /// Somebody was told of it, or wants not to be.
    pub(crate) fn seen(&self) {
        // Dropped after the lock.
        let _unseen = self.0.inner().unseen.take();
    }

    /// What the panic said.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// The payload that the panic was raised with. `None` if this or another clone has given it away already.
    #[must_use]
    pub fn take_payload(&self) -> Option<Box<dyn Any + Send>> {
        self.seen();
        self.0.inner().payload.take()
    }

    /// Goes on with the panic, without running the panic hook again. Where the payload has been taken already, the message
    /// goes in its place.
    ///
    /// # Panics
    /// That is what it is for.
    pub fn resume(self) -> ! {
        match self.take_payload() {
            Some(payload) => panic::resume_unwind(payload),
            None => panic::resume_unwind(Box::new(String::from(self.message()))),
        }
    }
}

impl fmt::Debug for Panic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Panic").field(&self.message()).finish()
    }
}
