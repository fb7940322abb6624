//! Failures that nobody looked at: [`on_unhandled`].

use std::any::Any;
use std::fmt;
use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::sync::{Arc, PoisonError, RwLock};

use crate::outcome::OutcomeKind;

/// A failure of a task that nobody looked at: what the hook of [`on_unhandled`] is told.
///
/// Its `Display` is one line, which says all but [`error`](Self::error).
pub struct Unhandled<'a> {
    origin: &'a Origin,
    kind: OutcomeKind,
    message: &'a str,
    error: &'a dyn Any,
}

/// Where a task comes from.
#[derive(Clone)]
pub(crate) struct Origin {
    pub(crate) name: Option<Arc<str>>,
    pub(crate) location: &'static Location<'static>,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.name {
            Some(name) => write!(f, "{name:?} (started at {})", self.location),
            None => write!(f, "started at {}", self.location),
        }
    }
}

impl Unhandled<'_> {
    /// Where the task was started.
    #[must_use]
    pub fn location(&self) -> &'static Location<'static> {
        self.origin.location
    }

    /// The task's name, if it was given one.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.origin.name.as_deref()
    }

    /// [`Rejected`](OutcomeKind::Rejected) or [`Panicked`](OutcomeKind::Panicked).
    #[must_use]
    pub fn kind(&self) -> OutcomeKind {
        self.kind
    }

    /// What the panic said; of an error, what it says where it is a text or an error of the standard library, boxed errors
    /// included, and else, or if its `Display` panics or fails, the name of its type.
    #[must_use]
    pub fn message(&self) -> &str {
        self.message
    }

    /// The error itself, of the type that the task has; of a panic, its payload.
    #[must_use]
    pub fn error(&self) -> &dyn Any {
        self.error
    }
}

impl fmt::Display for Unhandled<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "a task failed, and nobody looked at its outcome: {}: {}: {}",
            self.origin, self.kind, self.message
        )
    }
}

impl fmt::Debug for Unhandled<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Unhandled")
            .field("name", &self.origin.name)
            .field("location", &self.origin.location)
            .field("kind", &self.kind)
            .field("message", &self.message)
            .finish_non_exhaustive()
    }
}

type Hook = dyn Fn(&Unhandled<'_>) + Send + Sync;

/// `None`: what [`by_default`] does.
static HOOK: RwLock<Option<Arc<Hook>>> = RwLock::new(None);

/// Has `hook` told of every failure of a task that nobody looked at: an error or a panic of a task whose
/// [`Handle`](crate::Handle) was dropped before it gave its outcome. Each is told once.
///
/// It is told when both have come about, the end of the task and the drop of the handle, by whichever thread did the
/// later of them, and before the scope's [`join`](crate::Scope::join) returns if the handle was dropped before. A panic is
/// told as soon as it is sure that no `join` will go on with it.
///
/// No failures are: what was cancelled; what ran out of time, as whoever set the limit hears of that; a panic that a `join`
/// has gone on with; a task whose handle said [`ignore`](crate::Handle::ignore).
///
/// There is one hook for the whole process, and a new one takes the place of the old one. Without any, a failure is one line on
/// stderr (with the feature `tracing` an event of level `ERROR` instead). A hook that panics does no harm but to itself.
///
/// ```
/// use std::sync::mpsc;
///
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let (sender, failures) = mpsc::channel();
/// settled::on_unhandled(move |failure| {
///     let _ = sender.send((failure.kind().name(), failure.message().to_owned()));
/// });
/// let scope = settled::Scope::new();
/// drop(scope.spawn(async { Err::<(), _>("no such file") }));
/// scope.join().await;
/// assert_eq!(failures.try_recv(), Ok(("rejected", "no such file".to_owned())));
/// assert!(failures.try_recv().is_err(), "once");
/// # });
/// ```
pub fn on_unhandled(hook: impl Fn(&Unhandled<'_>) + Send + Sync + 'static) {
    let old = HOOK
        .write()
        .unwrap_or_else(PoisonError::into_inner)
        .replace(Arc::new(hook));
    // Whatever the old one's destructor does, it does it without the lock.
    drop(old);
}

/// Tells of an error that nobody took.
pub(crate) fn rejected<E: 'static>(error: &E, origin: &Origin) {
    // An error whose `Display` panics, or says that it failed, is told all the same.
    let said = caught(|| message_of(error)).flatten();
    let message = said.unwrap_or_else(|| std::any::type_name::<E>().to_owned());
    tell(&Unhandled {
        origin,
        kind: OutcomeKind::Rejected,
        message: &message,
        error,
    });
}

/// Tells of a panic that nobody saw.
pub(crate) fn panicked(message: &str, payload: &(dyn Any + Send), origin: &Origin) {
    tell(&Unhandled {
        origin,
        kind: OutcomeKind::Panicked,
        message,
        error: payload,
    });
}

fn tell(failure: &Unhandled<'_>) {
    // Called without the lock: a hook may set another one.
    let hook = HOOK.read().unwrap_or_else(PoisonError::into_inner).clone();
    // The hook is dropped in there as well: if it was replaced meanwhile, that is its end.
    caught(move || match hook {
        Some(hook) => hook(failure),
        None => by_default(failure),
    });
}

/// Whatever `work` calls, its panic ends here.
fn caught<R>(work: impl FnOnce() -> R) -> Option<R> {
    // `AssertUnwindSafe`: what a panic may leave half done is the hook's own, or the error's.
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(value) => Some(value),
        Err(payload) => {
            // The panic has been shown by the panic hook. Its payload may panic again as it is dropped, and so may the payload of that;
            // who does that without an end is left.
            let mut left = Some(payload);
            for _ in 0..8 {
                let Some(payload) = left.take() else { break };
                left = catch_unwind(AssertUnwindSafe(|| drop(payload))).err();
            }
            std::mem::forget(left);
            None
        }
    }
}

#[cfg(not(feature = "tracing"))]
fn by_default(failure: &Unhandled<'_>) {
    use std::io::Write;
    // No `eprintln!`: that panics where there is no stderr.
    let _nobody_to_tell = writeln!(std::io::stderr(), "settled: {failure}");
}

#[cfg(feature = "tracing")]
fn by_default(failure: &Unhandled<'_>) {
    tracing::error!(
        name = failure.name(),
        location = %failure.location(),
        kind = failure.kind().name(),
        "{}", failure.message()
    );
}

/// An error says nothing of itself as `dyn Any`, but the usual ones are known.
fn message_of(error: &dyn Any) -> Option<String> {
    type Boxed = Box<dyn std::error::Error>;
    type BoxedSend = Box<dyn std::error::Error + Send>;
    type BoxedSendSync = Box<dyn std::error::Error + Send + Sync>;

    fn said<E: fmt::Display + 'static>(error: &dyn Any) -> Option<String> {
        error.downcast_ref::<E>().map(E::to_string)
    }
    let known = [
        said::<&'static str>,
        said::<String>,
        said::<BoxedSendSync>,
        said::<BoxedSend>,
        said::<Boxed>,
        said::<std::io::Error>,
        said::<fmt::Error>,
        said::<std::num::ParseIntError>,
        said::<std::num::ParseFloatError>,
        said::<std::str::Utf8Error>,
        said::<std::string::FromUtf8Error>,
        said::<crate::reason::Reason>,
    ];
    known.iter().find_map(|said| said(error))
}
