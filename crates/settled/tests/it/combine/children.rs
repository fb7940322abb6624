//! Children that are steered from outside, and every verb over them in every form.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Waker};

use settled::{
    AnyError, Empty, KeyedError, Outcome, all, all_keyed, all_settled, all_settled_keyed, any,
    any_keyed, race, race_keyed, series,
};

/// What a child does when it is polled next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Act {
    Wait,
    End(Result<u32, u32>),
    Panic,
    /// Ends, and its destructor panics.
    EndBadly,
}

/// The other end of a child.
#[derive(Clone)]
pub(super) struct Remote(Arc<Mutex<State>>);

pub(super) struct State {
    pub(super) act: Act,
    pub(super) polls: usize,
    pub(super) dropped: bool,
    /// The destructor panics.
    pub(super) bomb: bool,
    pub(super) waker: Option<Waker>,
}

/// A child. It panics when it is polled after its end.
pub(super) struct Child(Arc<Mutex<State>>);

impl Remote {
    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.0
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// Wakes the child, which then does this. Says whether there was somebody to wake.
    pub(super) fn act(&self, act: Act) -> bool {
        self.state().act = act;
        self.wake()
    }

    pub(super) fn wake(&self) -> bool {
        let waker = self.state().waker.clone();
        waker.is_some_and(|waker| {
            waker.wake();
            true
        })
    }

    pub(super) fn ok(&self, value: u32) -> bool {
        self.act(Act::End(Ok(value)))
    }

    pub(super) fn err(&self, error: u32) -> bool {
        self.act(Act::End(Err(error)))
    }

    pub(super) fn polls(&self) -> usize {
        self.state().polls
    }

    pub(super) fn is_dropped(&self) -> bool {
        self.state().dropped
    }
}

impl Future for Child {
    type Output = Result<u32, u32>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self
            .0
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner());
        state.polls += 1;
        match std::mem::replace(&mut state.act, Act::Panic) {
            Act::Wait => {
                state.act = Act::Wait;
                state.waker = Some(cx.waker().clone());
                Poll::Pending
            }
            Act::End(result) => Poll::Ready(result),
            Act::EndBadly => {
                state.bomb = true;
                Poll::Ready(Ok(0))
            }
            Act::Panic => {
                drop(state);
                // Without a message on stderr.
                std::panic::resume_unwind(Box::new("a child panicked"))
            }
        }
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        let mut state = self
            .0
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner());
        state.dropped = true;
        state.waker = None;
        let bomb = state.bomb;
        drop(state);
        if bomb {
            std::panic::resume_unwind(Box::new("a destructor panicked"));
        }
    }
}

pub(super) fn child() -> (Remote, Child) {
    let state = Arc::new(Mutex::new(State {
        act: Act::Wait,
        polls: 0,
        dropped: false,
        bomb: false,
        waker: None,
    }));
    (Remote(Arc::clone(&state)), Child(state))
}

pub(super) fn children(count: usize) -> (Vec<Remote>, Vec<Child>) {
    (0..count).map(|_| child()).unzip()
}

/// What any of the verbs gives, in one type.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Values(Vec<u32>),
    Failed(u32),
    /// `None` for a panic.
    Outcomes(Vec<Option<Result<u32, u32>>>),
    First(u32),
    Errors(Vec<u32>),
    Winner(Result<u32, u32>),
    Nobody,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verb {
    All,
    AllSettled,
    Any,
    Race,
    Series,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Iter,
    Keyed,
    Tuple,
}

pub(super) const VERBS: [Verb; 5] = [
    Verb::All,
    Verb::AllSettled,
    Verb::Any,
    Verb::Race,
    Verb::Series,
];
pub(super) const FORMS: [Form; 3] = [Form::Iter, Form::Keyed, Form::Tuple];

pub(super) type Combined = Pin<Box<dyn Future<Output = Answer> + Send>>;

fn all_of(answer: Result<Vec<u32>, u32>) -> Answer {
    answer.map_or_else(Answer::Failed, Answer::Values)
}

fn settled_of(outcomes: Vec<Outcome<u32, u32>>) -> Answer {
    let plain = |outcome| match outcome {
        Outcome::Fulfilled(value) => Some(Ok(value)),
        Outcome::Rejected(error) => Some(Err(error)),
        Outcome::Panicked(_) => None,
        other => panic!("nobody said so: {other:?}"),
    };
    Answer::Outcomes(outcomes.into_iter().map(plain).collect())
}

fn any_of(answer: Result<u32, AnyError<u32>>) -> Answer {
    answer.map_or_else(|all| Answer::Errors(all.into_errors()), Answer::First)
}

fn race_of(answer: Result<Result<u32, u32>, Empty>) -> Answer {
    answer.map_or(Answer::Nobody, Answer::Winner)
}

/// The verb in that form, of these children; `None` where there is no such form.
pub(super) fn combine(verb: Verb, form: Form, children: Vec<Child>) -> Option<Combined> {
    Some(match (form, verb) {
        (Form::Iter, Verb::All) => Box::pin(async { all_of(all(children).await) }),
        (Form::Iter, Verb::AllSettled) => {
            Box::pin(async { settled_of(all_settled(children).await) })
        }
        (Form::Iter, Verb::Any) => Box::pin(async { any_of(any(children).await) }),
        (Form::Iter, Verb::Race) => Box::pin(async { race_of(race(children).await) }),
        (Form::Iter, Verb::Series) => Box::pin(async { all_of(series(children).await) }),
        (Form::Keyed, _) => return keyed(verb, children),
        (Form::Tuple, _) => return tuple(verb, children),
    })
}

/// Keys are places: whoever gives another's key fails.
fn keyed(verb: Verb, children: Vec<Child>) -> Option<Combined> {
    fn values<T>(pairs: Vec<(usize, T)>) -> Vec<T> {
        let in_order = |(at, (key, value))| {
            assert_eq!(at, key);
            value
        };
        pairs.into_iter().enumerate().map(in_order).collect()
    }
    let children: Vec<_> = children.into_iter().enumerate().collect();
    Some(match verb {
        Verb::All => Box::pin(async {
            let answer = all_keyed(children).await;
            all_of(answer.map(values).map_err(|KeyedError { error, .. }| error))
        }),
        Verb::AllSettled => {
            Box::pin(async { settled_of(values(all_settled_keyed(children).await)) })
        }
        Verb::Any => Box::pin(async {
            match any_keyed(children).await {
                Ok((_, value)) => Answer::First(value),
                Err(all) => {
                    let pairs = all.into_errors().into_iter();
                    Answer::Errors(values(pairs.map(|one| (one.key, one.error)).collect()))
                }
            }
        }),
        Verb::Race => Box::pin(async { race_of(race_keyed(children).await.map(|(_, it)| it)) }),
        Verb::Series => return None,
    })
}

macro_rules! tuples {
    ($verb:ident, $children:ident: $($count:literal $($f:ident)+;)+) => {
        match $children.len() {
            $($count => {
                let mut children = $children.into_iter();
                $(let $f = children.next().unwrap();)+
                let of = ($($f,)+);
                match $verb {
                    Verb::All => Box::pin(async {
                        all_of(all(of).await.map(|($($f,)+)| vec![$($f),+]))
                    }),
                    Verb::AllSettled => Box::pin(async {
                        let ($($f,)+) = all_settled(of).await;
                        settled_of(vec![$($f),+])
                    }),
                    Verb::Any => Box::pin(async { any_of(any(of).await) }),
                    Verb::Race => Box::pin(async { Answer::Winner(race(of).await) }),
                    Verb::Series => Box::pin(async {
                        all_of(series(of).await.map(|($($f,)+)| vec![$($f),+]))
                    }),
                }
            })+
            _ => return None,
        }
    };
}

fn tuple(verb: Verb, children: Vec<Child>) -> Option<Combined> {
    Some(tuples! { verb, children:
        1 a;
        2 a b;
        3 a b c;
        4 a b c d;
        5 a b c d e;
        6 a b c d e f;
        7 a b c d e f g;
        8 a b c d e f g h;
        9 a b c d e f g h i;
        10 a b c d e f g h i j;
        11 a b c d e f g h i j k;
        12 a b c d e f g h i j k l;
    })
}
