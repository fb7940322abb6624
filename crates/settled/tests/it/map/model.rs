//! Random maps against what a loop would have done.

use std::collections::BTreeSet;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use settled::map::{FromIter, Map, While};
use settled::{Failed, Outcome, map_while};
use tokio::runtime::Builder;
use tokio::task::yield_now;

use crate::steps::rng;

/// What an item does: after so many steps, this.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Script {
    steps: u8,
    end: End,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum End {
    Value,
    Fails,
    Panics,
    /// Already when its future is made.
    PanicsAtOnce,
    Breaks,
}

/// Who is inside, and who was.
#[derive(Default)]
struct World {
    inside: AtomicUsize,
    most: AtomicUsize,
    started: AtomicUsize,
}

struct Inside(Arc<World>);

impl Inside {
    fn enter(world: &Arc<World>) -> Self {
        let inside = world.inside.fetch_add(1, Ordering::SeqCst) + 1;
        world.most.fetch_max(inside, Ordering::SeqCst);
        world.started.fetch_add(1, Ordering::SeqCst);
        Self(Arc::clone(world))
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        self.0.inside.fetch_sub(1, Ordering::SeqCst);
    }
}

type Running = Pin<Box<dyn Future<Output = Result<Option<usize>, usize>> + Send>>;
type Numbers = std::iter::Enumerate<std::vec::IntoIter<Script>>;

struct Case {
    scripts: Vec<Script>,
    limit: usize,
    unordered: bool,
    world: Arc<World>,
}

impl Case {
    fn random(rng: &mut fastrand::Rng) -> Self {
        let (bad, breaks) = (rng.u32(0..4), rng.u32(0..4));
        let mut script = || {
            let end = match rng.u32(0..100) {
                n if n < bad => End::Fails,
                n if n < 2 * bad => End::Panics,
                n if n < 3 * bad => End::PanicsAtOnce,
                n if (50..50 + breaks).contains(&n) => End::Breaks,
                _ => End::Value,
            };
            let steps = if rng.bool() { 0 } else { rng.u8(0..5) };
            Script { steps, end }
        };
        let scripts = (0..40).map(|_| script()).collect::<Vec<_>>();
        let count = rng.usize(0..=scripts.len());
        Self {
            scripts: scripts[..count].to_vec(),
            limit: *rng.choice([1, 2, 3, 7, 17, 40, usize::MAX].iter()).unwrap(),
            unordered: rng.bool(),
            world: Arc::default(),
        }
    }

    fn map(
        &self,
    ) -> Map<FromIter<Numbers>, impl Fn((usize, Script)) -> Running + Send + Sync + 'static, While>
    {
        let world = Arc::clone(&self.world);
        let body = move |(number, script): (usize, Script)| {
            let world = Arc::clone(&world);
            assert!(script.end != End::PanicsAtOnce, "{number}");
            let body = async move {
                let _inside = Inside::enter(&world);
                for _ in 0..script.steps {
                    yield_now().await;
                }
                match script.end {
                    End::Value => Ok(Some(number)),
                    End::Breaks => Ok(None),
                    End::Fails => Err(number),
                    End::Panics | End::PanicsAtOnce => panic!("{number}"),
                }
            };
            Box::pin(body) as Running
        };
        let numbered = self.scripts.clone().into_iter().enumerate();
        let map = map_while(numbered, body).limit(self.limit);
        if self.unordered { map.unordered() } else { map }
    }

    /// The first that breaks.
    fn end(&self) -> usize {
        let breaks = |script: &Script| script.end == End::Breaks;
        let first = self.scripts.iter().position(breaks);
        first.unwrap_or(self.scripts.len())
    }

    fn fails(&self, number: usize) -> bool {
        let end = self.scripts[number].end;
        matches!(end, End::Fails | End::Panics | End::PanicsAtOnce)
    }

    /// Nothing runs any more, and never did too much.
    fn check(&self) {
        assert_eq!(
            self.world.inside.load(Ordering::SeqCst),
            0,
            "something still runs"
        );
        assert!(self.world.most.load(Ordering::SeqCst) <= self.limit);
    }

    /// `values` is what a loop would have given; that a failure came first is right if there is one that could have.
    fn check_collected(&self, values: Result<Vec<usize>, usize>) {
        self.check();
        match values {
            Ok(mut values) => {
                if self.unordered {
                    values.sort_unstable();
                }
                assert_eq!(values, (0..self.end()).collect::<Vec<_>>());
                assert!((0..self.end()).all(|number| !self.fails(number)));
            }
            Err(number) => assert!(self.fails(number)),
        }
    }

    fn check_outcome(&self, number: usize, outcome: &Outcome<usize, usize>) {
        match (self.scripts[number].end, outcome) {
            (End::Value, Outcome::Fulfilled(value)) => assert_eq!(*value, number),
            (End::Fails, Outcome::Rejected(error)) => assert_eq!(*error, number),
            (End::Panics | End::PanicsAtOnce, Outcome::Panicked(panic)) => {
                assert!(panic.message().contains(&number.to_string()));
            }
            other => panic!("{number}: {other:?}"),
        }
    }

    fn check_settled(&self, outcomes: &[Outcome<usize, usize>]) {
        self.check();
        if !self.unordered {
            assert_eq!(outcomes.len(), self.end());
            for (number, outcome) in outcomes.iter().enumerate() {
                self.check_outcome(number, outcome);
            }
            return;
        }
        let values = outcomes.iter().filter_map(|outcome| match outcome {
            Outcome::Fulfilled(value) => Some(*value),
            Outcome::Rejected(error) => Some(*error),
            Outcome::Panicked(panic) => panic.message().parse().ok(),
            _ => None,
        });
        let seen: BTreeSet<usize> = values.collect();
        assert_eq!((seen.len(), outcomes.len()), (self.end(), self.end()));
    }

    /// Every item is in one place.
    fn check_partial(&self, outcomes: &[Outcome<usize, usize>], rest: &[usize]) {
        self.check();
        let failed = |outcome: &&Outcome<_, _>| !outcome.is_fulfilled() && !outcome.is_cancelled();
        let failures = outcomes.iter().filter(failed).count();
        if failures == 0 {
            assert_eq!(outcomes.len(), self.end());
            assert!(outcomes.iter().all(Outcome::is_fulfilled));
            return;
        }
        assert!(rest.is_sorted());
        let rest: BTreeSet<_> = rest.iter().copied().collect();
        // Without an end, what is not here is there.
        let started: Vec<_> = (0..self.scripts.len())
            .filter(|n| !rest.contains(n))
            .collect();
        if self.end() == self.scripts.len() {
            assert_eq!(started.len(), outcomes.len());
        }
        for (number, outcome) in started.into_iter().zip(outcomes) {
            if !outcome.is_cancelled() {
                self.check_outcome(number, outcome);
            }
        }
    }
}

fn numbers(rest: impl Iterator<Item = (usize, Script)>) -> Vec<usize> {
    rest.map(|(number, _)| number).collect()
}

fn number<E>(failed: Failed<usize>) -> Result<E, usize> {
    Err(match failed {
        Failed::Rejected(number) => number,
        Failed::Panicked(panic) => panic.message().parse().unwrap(),
        other => panic!("{other:?}"),
    })
}

async fn in_one_task(rng: &mut fastrand::Rng) {
    let mut case = Case::random(rng);
    case.check_settled(&case.map().collect_settled().await);
    let partial = case.map().collect_partial().await;
    case.check_partial(&partial.outcomes, &numbers(partial.rest));
    for script in &mut case.scripts {
        if matches!(script.end, End::Panics | End::PanicsAtOnce) {
            script.end = End::Fails;
        }
    }
    case.check_collected(case.map().collect().await);
    assert_eq!(
        case.map().for_each().await.is_ok(),
        case.map().collect().await.is_ok()
    );
}

async fn spawned(rng: &mut fastrand::Rng) {
    let case = Case::random(rng);
    case.check_settled(&case.map().spawned().collect_settled().await);
    let partial = case.map().spawned().collect_partial().await;
    case.check_partial(&partial.outcomes, &numbers(partial.rest));
    let collected = case.map().spawned().collect().await;
    case.check_collected(collected.or_else(number));
    if let Err(failed) = case.map().spawned().for_each().await {
        assert!(number::<()>(failed).is_err_and(|number| case.fails(number)));
    }
    case.check();
}

async fn streamed(rng: &mut fastrand::Rng) {
    let mut case = Case::random(rng);
    if case.unordered {
        // What came from behind the end before that was known can't be taken back.
        case.scripts.truncate(case.end());
    }
    let mut stream = case.map().spawned().stream();
    let mut outcomes = Vec::new();
    let slow = rng.bool();
    while let Some(outcome) = stream.next().await {
        outcomes.push(outcome);
        if slow {
            yield_now().await;
        }
        let started = case.world.started.load(Ordering::SeqCst);
        assert!(
            started - outcomes.len().min(started)
                <= case.limit.saturating_add(case.scripts.len() - case.end())
        );
    }
    assert!(stream.next().await.is_none());
    case.check_settled(&outcomes);

    let case = Case::random(rng);
    let mut stream = case.map().spawned().stream();
    let mut taken = 0;
    for _ in 0..rng.usize(0..30) {
        taken += usize::from(stream.next().await.is_some());
    }
    let closed = stream.close().await;
    case.check();
    assert!(
        closed.len() <= case.limit,
        "{} were ahead, limit {}, taken {taken}, {:?} {closed:?}",
        closed.len(),
        case.limit,
        case.scripts
    );
    assert!(taken + closed.len() <= case.scripts.len());
    assert!(taken + closed.len() >= case.world.started.load(Ordering::SeqCst).min(case.end()));
}

fn rounds() -> usize {
    std::env::var("ROUNDS").map_or(150, |rounds| rounds.parse().unwrap())
}

#[tokio::test]
async fn one_task_is_a_loop() {
    let mut rng = rng();
    for _ in 0..rounds() {
        in_one_task(&mut rng).await;
    }
}

#[tokio::test]
async fn tasks_of_one_thread_are_a_loop() {
    let mut rng = rng();
    for _ in 0..rounds() {
        spawned(&mut rng).await;
        streamed(&mut rng).await;
    }
}

#[test]
fn tasks_of_several_threads_are_a_loop() {
    let runtime = Builder::new_multi_thread()
        .worker_threads(3)
        .build()
        .unwrap();
    let mut rng = rng();
    for _ in 0..rounds() {
        runtime.block_on(async {
            spawned(&mut rng).await;
            streamed(&mut rng).await;
        });
    }
}
