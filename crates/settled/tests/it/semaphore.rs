use std::collections::VecDeque;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;
use std::time::Duration;

use settled::{AcquireError, AcquireOwned, OwnedPermit, Semaphore, TryAcquireError};
use tokio::time::{advance, sleep};

use crate::steps::{Alive, Watch, poll_once, probe, rng, sweep};

#[tokio::test]
async fn permits_are_guards_so_none_is_released_twice() {
    let semaphore = Semaphore::new(2);
    for _ in 0..100 {
        let both = semaphore.acquire(2).await.unwrap();
        assert_eq!((both.permits(), semaphore.available()), (2, 0));
    }
    assert_eq!((semaphore.available(), semaphore.capacity()), (2, 2));
}

#[tokio::test]
async fn first_come_first_served_whatever_the_weight() {
    let semaphore = Arc::new(Semaphore::new(3));
    let held = semaphore.acquire_owned(3).await.unwrap();
    let mut waiters: Vec<_> = [2, 1, 3, 1]
        .map(|weight| Box::pin(semaphore.acquire_owned(weight)))
        .into();
    for waiter in &mut waiters {
        assert!(poll_once(waiter.as_mut()).await.is_pending());
    }
    assert_eq!(semaphore.waiting(), 4);
    drop(held);
    assert_eq!(
        (semaphore.waiting(), semaphore.available()),
        (2, 0),
        "2 and 1 fit; the other 1 waits behind the 3"
    );
    for weight in [2, 1, 3, 1] {
        assert_eq!(waiters.remove(0).await.unwrap().permits(), weight);
    }
}

/// Hazard: a permit that is on its way to a woken waiter, or that a light request could squeeze by with, is not free.
#[tokio::test]
async fn trying_never_goes_past_a_waiter() {
    let semaphore = Semaphore::new(2);
    let one = semaphore.acquire(1).await.unwrap();
    let mut heavy = pin!(semaphore.acquire(2));
    assert!(poll_once(heavy.as_mut()).await.is_pending());
    assert_eq!(semaphore.available(), 1);
    assert_eq!(
        semaphore.try_acquire(1).unwrap_err(),
        TryAcquireError::NoPermits,
        "one is free, but somebody waits for it"
    );
    drop(one);
    assert_eq!(
        semaphore.try_acquire(1).unwrap_err(),
        TryAcquireError::NoPermits,
        "the waiter is woken, not yet polled"
    );
    assert!(semaphore.try_acquire(0).is_ok());
    drop(heavy.await.unwrap());
    assert!(semaphore.try_acquire(2).is_ok());
}

/// Hazard: a permit handed to a waiter that is then cancelled goes on to the next.
#[tokio::test]
async fn a_permit_handed_to_a_cancelled_waiter_goes_on() {
    let semaphore = Semaphore::new(1);
    let held = semaphore.acquire(1).await.unwrap();
    let (mut first, mut second) = (Box::pin(semaphore.acquire(1)), pin!(semaphore.acquire(1)));
    let (watch, watch2) = (Watch::default(), Watch::default());
    assert!(watch.poll(first.as_mut()).is_pending());
    assert!(watch2.poll(second.as_mut()).is_pending());
    drop(held);
    assert_eq!((watch.woken(), watch2.woken()), (1, 0));
    drop(first);
    assert_eq!(watch2.woken(), 1);
    assert!(watch2.poll(second).is_ready());
    assert_eq!((watch.kept(), watch2.kept()), (0, 0));
}

/// A heavy waiter in front that gives up makes way for the light ones behind, though no permit came back.
#[tokio::test]
async fn a_heavy_waiter_that_leaves_makes_way() {
    let semaphore = Semaphore::new(2);
    let _one = semaphore.acquire(1).await.unwrap();
    let mut heavy = Box::pin(semaphore.acquire(2));
    let mut light = pin!(semaphore.acquire(1));
    let watch = Watch::default();
    assert!(poll_once(heavy.as_mut()).await.is_pending());
    assert!(watch.poll(light.as_mut()).is_pending());
    drop(heavy);
    assert_eq!(watch.woken(), 1);
    assert!(watch.poll(light).is_ready());
}

#[tokio::test]
async fn more_than_all_is_an_error_at_once() {
    let semaphore = Semaphore::new(2);
    let error = AcquireError::TooMany {
        wanted: 3,
        capacity: 2,
    };
    assert_eq!(semaphore.acquire(3).await.unwrap_err(), error);
    assert_eq!(
        semaphore.try_acquire(3).unwrap_err(),
        TryAcquireError::Never(error)
    );
    assert_eq!(
        error.to_string(),
        "3 permits were asked of a semaphore that has 2"
    );
}

#[tokio::test]
async fn a_smaller_one_lets_holders_finish() {
    let semaphore = Semaphore::new(3);
    let mut held: Vec<_> = Vec::new();
    for _ in 0..3 {
        held.push(semaphore.acquire(1).await.unwrap());
    }
    semaphore.resize(1);
    let mut next = pin!(semaphore.acquire(1));
    for _ in 0..3 {
        assert!(poll_once(next.as_mut()).await.is_pending());
        assert_eq!(semaphore.available(), 0);
        held.pop();
    }
    assert!(poll_once(next).await.is_ready());
}

#[tokio::test]
async fn a_larger_one_lets_waiters_in_at_once() {
    let semaphore = Semaphore::new(0);
    assert_eq!(
        semaphore.try_acquire(1).unwrap_err(),
        TryAcquireError::NoPermits
    );
    let mut waiters: Vec<_> = (0..3).map(|_| Box::pin(semaphore.acquire(1))).collect();
    for waiter in &mut waiters {
        assert!(
            poll_once(waiter.as_mut()).await.is_pending(),
            "with none at all everybody waits"
        );
    }
    semaphore.add(2);
    assert_eq!((semaphore.waiting(), semaphore.capacity()), (1, 2));
    semaphore.resize(5);
    assert_eq!(probe(waiters).into_iter().filter_map(Result::ok).count(), 3);
    semaphore.add(usize::MAX);
    assert_eq!(semaphore.capacity(), Semaphore::MAX);
}

/// Hazard: who waits for more than a smaller semaphore will ever have must not hang.
#[tokio::test]
async fn shrinking_tells_those_who_wait_for_too_many() {
    let semaphore = Semaphore::new(4);
    let held = semaphore.acquire(4).await.unwrap();
    let mut waiters: Vec<_> = [3, 2, 4, 1]
        .map(|weight| Box::pin(semaphore.acquire(weight)))
        .into();
    for waiter in &mut waiters {
        assert!(poll_once(waiter.as_mut()).await.is_pending());
    }
    semaphore.resize(2);
    assert_eq!(semaphore.waiting(), 2);
    drop(held);
    let [three, two, four, one] = <[_; 4]>::try_from(waiters).map_err(drop).unwrap();
    assert_eq!(
        three.await.unwrap_err(),
        AcquireError::TooMany {
            wanted: 3,
            capacity: 2
        }
    );
    assert_eq!(
        four.await.unwrap_err(),
        AcquireError::TooMany {
            wanted: 4,
            capacity: 2
        }
    );
    drop(two.await.unwrap());
    drop(one.await.unwrap());
}

#[tokio::test]
async fn closing_settles_every_waiter() {
    let semaphore = Semaphore::new(1);
    let held = semaphore.acquire(1).await.unwrap();
    let mut waiters: Vec<_> = (0..50).map(|_| Box::pin(semaphore.acquire(1))).collect();
    for waiter in &mut waiters {
        assert!(poll_once(waiter.as_mut()).await.is_pending());
    }
    semaphore.close();
    semaphore.close();
    assert!(semaphore.is_closed());
    assert!(
        probe(waiters)
            .into_iter()
            .all(|result| result.is_err_and(|error| error == AcquireError::Closed))
    );
    assert_eq!(
        semaphore.acquire(0).await.unwrap_err(),
        AcquireError::Closed
    );
    assert_eq!(
        semaphore.try_acquire(1).unwrap_err(),
        TryAcquireError::Never(AcquireError::Closed)
    );
    drop(held);
    assert_eq!((semaphore.available(), semaphore.waiting()), (1, 0));
}

/// A permit that was given before the close is good, also if its waiter comes for it after.
#[tokio::test]
async fn closing_takes_nothing_back() {
    let semaphore = Semaphore::new(1);
    let held = semaphore.acquire(1).await.unwrap();
    let mut waiter = pin!(semaphore.acquire(1));
    assert!(poll_once(waiter.as_mut()).await.is_pending());
    drop(held);
    semaphore.close();
    assert_eq!(waiter.await.unwrap().permits(), 1);
    assert_eq!(semaphore.available(), 1);
}

#[tokio::test]
async fn the_latest_waker_is_woken() {
    let semaphore = Semaphore::new(1);
    let held = semaphore.acquire(1).await.unwrap();
    let mut waiter = pin!(semaphore.acquire(1));
    let (first, second) = (Watch::default(), Watch::default());
    assert!(first.poll(waiter.as_mut()).is_pending());
    assert!(second.poll(waiter.as_mut()).is_pending());
    assert_eq!((first.kept(), second.kept()), (0, 1));
    drop(held);
    assert_eq!((first.woken(), second.woken()), (0, 1));
}

/// `with`: the permit is back when the body is gone, whether that ended, panicked or was dropped half-way, and not before.
#[tokio::test(start_paused = true)]
async fn a_permit_is_out_for_as_long_as_the_body_lives() {
    let polls = sweep(
        || (Semaphore::new(1), Alive::default()),
        async |(semaphore, alive): &(Semaphore, Alive)| {
            let inside = alive.clone();
            let body = async move {
                let _inside = inside;
                for _ in 0..3 {
                    sleep(Duration::from_millis(1)).await;
                }
            };
            semaphore.with(body).await.unwrap();
        },
        async |(semaphore, _), _| {
            assert_eq!(semaphore.available(), 0);
            advance(Duration::from_millis(1)).await;
        },
        async |(semaphore, alive), polls| {
            assert_eq!(
                (semaphore.available(), alive.others()),
                (1, 0),
                "after {polls} polls"
            );
        },
    )
    .await;
    assert!(polls >= 4, "{polls}");
    let semaphore = Semaphore::new(1);
    let outcome = settled::settle(async {
        semaphore
            .with(async { panic!("oh") })
            .await
            .map(|(): ()| ())
    })
    .await;
    assert!(outcome.is_panicked());
    assert_eq!(semaphore.available(), 1);
}

/// Waiters that are dropped after any number of polls, with permits coming back in between, leak nothing and block nobody.
#[tokio::test]
async fn dropped_at_any_step_a_waiter_leaves_nothing_behind() {
    struct World {
        semaphore: Arc<Semaphore>,
        held: std::cell::RefCell<Vec<OwnedPermit>>,
    }
    for weight in 1..=3 {
        let polls = sweep(
            || {
                let semaphore = Arc::new(Semaphore::new(3));
                let held = (0..3)
                    .map(|_| semaphore.try_acquire_owned(1).unwrap())
                    .collect();
                World {
                    semaphore,
                    held: std::cell::RefCell::new(held),
                }
            },
            async |world: &World| {
                let permit = world.semaphore.acquire(weight).await.unwrap();
                tokio::task::yield_now().await;
                drop(permit);
            },
            async |world, _| drop(world.held.borrow_mut().pop()),
            async |world, polls| {
                world.held.borrow_mut().clear();
                assert_eq!(
                    (world.semaphore.available(), world.semaphore.waiting()),
                    (3, 0),
                    "after {polls} polls"
                );
                assert!(world.semaphore.try_acquire(3).is_ok());
            },
        )
        .await;
        assert_eq!(polls, weight + 2);
    }
}

/// The whole of what a semaphore is supposed to do, as a queue of numbers.
#[derive(Default)]
struct Model {
    capacity: usize,
    out: usize,
    closed: bool,
    line: VecDeque<(usize, usize)>,
    /// What each request came to: `None` as long as it waits.
    settled: Vec<Option<Result<(), AcquireError>>>,
}

impl Model {
    fn refuse(&self, weight: usize) -> Option<AcquireError> {
        let capacity = self.capacity;
        match (self.closed, weight > capacity && capacity > 0) {
            (true, _) => Some(AcquireError::Closed),
            (false, true) => Some(AcquireError::TooMany {
                wanted: weight,
                capacity,
            }),
            (false, false) => None,
        }
    }

    fn request(&mut self, weight: usize) {
        let number = self.settled.len();
        match self.refuse(weight) {
            Some(error) => self.settled.push(Some(Err(error))),
            None if weight == 0 => self.settled.push(Some(Ok(()))),
            None => {
                self.settled.push(None);
                self.line.push_back((number, weight));
            }
        }
        self.serve();
    }

    fn serve(&mut self) {
        let line = std::mem::take(&mut self.line);
        for (number, weight) in line {
            match self.refuse(weight) {
                Some(error) => self.settled[number] = Some(Err(error)),
                None => self.line.push_back((number, weight)),
            }
        }
        while let Some((number, weight)) = self.line.front().copied() {
            if self.out + weight > self.capacity {
                break;
            }
            self.line.pop_front();
            self.out += weight;
            self.settled[number] = Some(Ok(()));
        }
    }
}

/// Random requests, cancellations, releases and resizes: it does what the model does, step by step, and wakes exactly
/// those whose turn it is.
#[test]
fn it_is_a_queue_of_numbers() {
    let mut rng = rng();
    for round in 0..300 {
        let capacity = rng.usize(..6);
        let semaphore = Arc::new(Semaphore::new(capacity));
        let mut model = Model {
            capacity,
            ..Model::default()
        };
        let mut waiting: Vec<(usize, usize, std::pin::Pin<Box<AcquireOwned>>, Watch)> = Vec::new();
        let mut held: Vec<OwnedPermit> = Vec::new();
        for _ in 0..120 {
            match rng.u8(..12) {
                0..=4 => {
                    let (number, weight) = (model.settled.len(), rng.usize(..5));
                    model.request(weight);
                    let mut waiter = Box::pin(semaphore.acquire_owned(weight));
                    let watch = Watch::default();
                    match (watch.poll(waiter.as_mut()), model.settled[number]) {
                        (Poll::Pending, None) => waiting.push((number, weight, waiter, watch)),
                        (Poll::Ready(Ok(permit)), Some(Ok(()))) => held.push(permit),
                        (Poll::Ready(Err(error)), Some(Err(expected))) => {
                            assert_eq!(error, expected)
                        }
                        (polled, expected) => panic!("round {round}: {polled:?}, not {expected:?}"),
                    }
                }
                5 | 6 if !held.is_empty() => {
                    let permit = held.swap_remove(rng.usize(..held.len()));
                    model.out -= permit.permits();
                    drop(permit);
                    model.serve();
                }
                7 if !waiting.is_empty() => {
                    let (number, weight, waiter, watch) =
                        waiting.swap_remove(rng.usize(..waiting.len()));
                    drop(waiter);
                    assert_eq!(watch.kept(), 0);
                    if model.settled[number] == Some(Ok(())) {
                        model.out -= weight;
                    }
                    model.line.retain(|(waiter, _)| *waiter != number);
                    model.serve();
                }
                8 => {
                    let weight = rng.usize(..5);
                    let free = model.line.is_empty() && model.out + weight <= model.capacity;
                    let expected = model.refuse(weight).is_none() && (weight == 0 || free);
                    let permit = semaphore.try_acquire_owned(weight);
                    assert_eq!(permit.is_ok(), expected);
                    if let Ok(permit) = permit {
                        model.out += weight;
                        held.push(permit);
                    }
                }
                9 => {
                    model.capacity = rng.usize(..6);
                    semaphore.resize(model.capacity);
                    model.serve();
                }
                10 if rng.u8(..20) == 0 => {
                    model.closed = true;
                    semaphore.close();
                    model.serve();
                }
                _ if !waiting.is_empty() => {
                    let at = rng.usize(..waiting.len());
                    let (number, _, waiter, watch) = &mut waiting[at];
                    let expected = model.settled[*number];
                    assert_eq!(
                        watch.woken(),
                        usize::from(expected.is_some()),
                        "round {round}"
                    );
                    match (watch.poll(waiter.as_mut()), expected) {
                        (Poll::Pending, None) => continue,
                        (Poll::Ready(Ok(permit)), Some(Ok(()))) => held.push(permit),
                        (Poll::Ready(Err(error)), Some(Err(expected))) => {
                            assert_eq!(error, expected)
                        }
                        (polled, expected) => panic!("round {round}: {polled:?}, not {expected:?}"),
                    }
                    drop(waiting.swap_remove(at));
                }
                _ => {}
            }
            assert_eq!(semaphore.waiting(), model.line.len());
            assert_eq!(
                semaphore.available(),
                model.capacity.saturating_sub(model.out)
            );
        }
        drop((waiting, held));
        assert_eq!(
            (semaphore.available(), semaphore.waiting()),
            (model.capacity, 0)
        );
    }
}

/// Four runtimes share one semaphore, and half of the waiters give up at some point: the limit is never broken, nobody is
/// forgotten, and all permits are back in the end.
#[test]
fn several_runtimes_share_it() {
    let semaphore = Arc::new(Semaphore::new(3));
    let inside = Arc::new(AtomicUsize::new(0));
    let seed = rng().u64(..);
    std::thread::scope(|scope| {
        for number in 0..4 {
            let (semaphore, inside) = (&semaphore, &inside);
            scope.spawn(move || {
                let mut rng = fastrand::Rng::with_seed(seed + number);
                let runtime = tokio::runtime::Builder::new_current_thread()
                    .enable_time()
                    .build()
                    .unwrap();
                let local = tokio::task::LocalSet::new();
                local.block_on(&runtime, async {
                    let mut tasks = Vec::new();
                    for _ in 0..2000 {
                        let (semaphore, inside) = (Arc::clone(semaphore), Arc::clone(inside));
                        let (weight, patience) = (rng.usize(1..=3), rng.usize(..8));
                        tasks.push(tokio::task::spawn_local(async move {
                            let mut acquire = Box::pin(semaphore.acquire(weight));
                            for _ in 0..patience {
                                if let Poll::Ready(permit) = poll_once(acquire.as_mut()).await {
                                    return work(permit.unwrap(), weight, &inside).await;
                                }
                                tokio::task::yield_now().await;
                            }
                            if patience % 2 == 0 {
                                work(acquire.await.unwrap(), weight, &inside).await;
                            }
                        }));
                    }
                    for task in tasks {
                        task.await.unwrap();
                    }
                });
            });
        }
    });
    assert_eq!((semaphore.available(), semaphore.waiting()), (3, 0));

    async fn work(permit: settled::Permit<'_>, weight: usize, inside: &AtomicUsize) {
        let before = inside.fetch_add(weight, Ordering::SeqCst);
        assert!(before + weight <= 3);
        tokio::task::yield_now().await;
        inside.fetch_sub(weight, Ordering::SeqCst);
        drop(permit);
    }
}
