//! Wake-ups from other threads, while the children are polled, moved about, and dropped.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use settled::{Scope, all, all_settled, any, race};
use tokio::sync::oneshot;
use tokio::task::yield_now;

use super::children::{Answer, Form, Verb, children, combine};
use crate::steps::rng;

/// Four threads end all children in random order while a fifth moves the combinator from task to task.
#[test]
fn no_wake_up_from_another_thread_is_lost() {
    let mut rng = rng();
    for round in 0..60 {
        let count = [40, 64, 65, 300, 4200][round % 5];
        let verb = [Verb::All, Verb::AllSettled][round % 2];
        let (remotes, futures) = children(count);
        let combined = combine(verb, Form::Iter, futures).unwrap();
        let mut order: Vec<usize> = (0..count).collect();
        rng.shuffle(&mut order);
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .build()
            .unwrap();
        let answer = thread::scope(|threads| {
            for part in order.chunks(count.div_ceil(4)) {
                let remotes = &remotes;
                threads.spawn(move || {
                    for &child in part {
                        // Some are woken for nothing, too.
                        remotes[(child * 7) % count].wake();
                        remotes[child].ok(u32::try_from(child).unwrap());
                    }
                });
            }
            runtime.block_on(async { tokio::spawn(combined).await.unwrap() })
        });
        match answer {
            Answer::Values(values) => assert_eq!(values.len(), count),
            Answer::Outcomes(outcomes) => assert!(outcomes.iter().all(Option::is_some)),
            other => panic!("{other:?}"),
        }
    }
    println!("wake-ups from threads: 60 cases");
}

/// Woken from other threads while it is dropped: the wakers outlive it.
#[test]
fn it_may_be_dropped_while_others_wake_it() {
    for round in 0..200 {
        let (remotes, futures) = children(100);
        let mut combined = combine(Verb::All, Form::Iter, futures).unwrap();
        let watch = crate::steps::Watch::default();
        assert!(watch.poll(combined.as_mut()).is_pending());
        let wakers: Vec<_> = remotes
            .iter()
            .map(|one| one.state().waker.clone().unwrap())
            .collect();
        let stop = AtomicBool::new(false);
        thread::scope(|threads| {
            for part in wakers.chunks(50) {
                let stop = &stop;
                threads.spawn(move || {
                    while !stop.load(Ordering::Relaxed) {
                        for waker in part {
                            let twin = waker.clone();
                            twin.wake();
                        }
                    }
                });
            }
            for _ in 0..round % 4 {
                assert!(watch.poll(combined.as_mut()).is_pending());
            }
            drop(combined);
            stop.store(true, Ordering::Relaxed);
        });
        drop(wakers);
        assert_eq!(watch.kept(), 0);
    }
}

/// Real tasks on several threads, through channels and yields.
#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn tasks_of_many_threads_are_waited_for() {
    for count in [10, 100, 1000] {
        let scope = Scope::new();
        let (senders, receivers): (Vec<_>, Vec<_>) = (0..count).map(|_| oneshot::channel()).unzip();
        let senders: Vec<_> = (0..).zip(senders).collect();
        let sent = scope.spawn(async move {
            for (number, sender) in senders {
                if number % 3 == 0 {
                    yield_now().await;
                }
                sender.send(number).map_err(drop)?;
            }
            Ok::<_, ()>(())
        });
        let numbers = tokio::spawn(all(receivers)).await.unwrap().unwrap();
        assert_eq!(numbers, (0..count).collect::<Vec<_>>());
        assert!(sent.await.is_fulfilled());

        let spawn = |number: usize| {
            scope.spawn(async move {
                for _ in 0..number % 5 {
                    yield_now().await;
                }
                if number.is_multiple_of(2) {
                    Ok(number)
                } else {
                    Err(number)
                }
            })
        };
        let outcomes = all_settled((0..count).map(spawn)).await;
        assert_eq!(
            outcomes.iter().filter(|one| one.is_fulfilled()).count(),
            count / 2
        );
        assert!(
            any((0..count).map(spawn))
                .await
                .is_ok_and(|number| number % 2 == 0)
        );
        drop(race((0..count).map(spawn)).await.unwrap());
        scope.join().await;
    }
}
