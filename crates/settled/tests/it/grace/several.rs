//! `Grace::all`, `any` and `race`: the losers have a word before they go.

use std::cell::RefCell;
use std::future::Future;
use std::time::Duration;

use settled::{AbortSignal, Empty, Failed, Grace, settle};
use tokio::time::{Instant, advance, sleep};

use crate::steps::{Alive, sweep};

const MS: Duration = Duration::from_millis(1);

/// What a child is: how long it takes, how long its clean-up takes, and what it gives.
type Script = (u32, u32, Result<u32, &'static str>);

/// A child that follows a script, and notes how it ended.
async fn child(
    (takes, clean_up, gives): Script,
    lost: AbortSignal,
    log: &RefCell<Vec<(u32, &'static str)>>,
) -> Result<u32, &'static str> {
    assert!(AbortSignal::current().same(&lost), "it is around it, too");
    if lost.run(sleep(takes * MS)).await.is_ok() {
        return gives;
    }
    let until = Instant::now() + clean_up * MS;
    log.borrow_mut().push((takes, "lost"));
    tokio::time::sleep_until(until).await;
    log.borrow_mut().push((takes, "gone"));
    Ok(0)
}

async fn play<'a, T, F: Future<Output = T>>(
    scripts: &'a [Script],
    log: &'a RefCell<Vec<(u32, &'static str)>>,
    verb: impl FnOnce(Grace, Children<'a>) -> F,
) -> (T, u128) {
    let start = Instant::now();
    let answer = verb(Grace::new(10 * MS), Children { scripts, log }).await;
    (answer, start.elapsed().as_millis())
}

struct Children<'a> {
    scripts: &'a [Script],
    log: &'a RefCell<Vec<(u32, &'static str)>>,
}

impl<'a> Children<'a> {
    fn make(
        self,
        lost: &AbortSignal,
    ) -> Vec<impl Future<Output = Result<u32, &'static str>> + use<'a>> {
        let one = |script: &Script| child(*script, lost.clone(), self.log);
        self.scripts.iter().map(one).collect()
    }
}

#[tokio::test(start_paused = true)]
async fn the_answer_comes_when_the_losers_are_done() {
    let log = RefCell::default();
    let scripts = [(30, 4, Ok(1)), (10, 0, Ok(2)), (20, 7, Ok(3))];
    let race = play(&scripts, &log, |grace, children| async move {
        grace.race(|lost| children.make(&lost)).await
    });
    assert_eq!(
        race.await,
        (Ok(Ok(2)), 17),
        "10 ms, and the slower clean-up"
    );
    let gone = [(20, "lost"), (30, "lost"), (30, "gone"), (20, "gone")];
    assert_eq!(log.take(), gone);

    let any = play(&scripts, &log, |grace, children| async move {
        grace.any(|lost| children.make(&lost)).await
    });
    assert_eq!(any.await, (Ok(2), 17));
    assert_eq!(log.take(), gone);

    let scripts = [(30, 4, Ok(1)), (10, 0, Err("no")), (5, 0, Ok(3))];
    let all = play(&scripts, &log, |grace, children| async move {
        grace.all(|lost| children.make(&lost)).await
    });
    assert_eq!(all.await, (Err("no"), 14));
    assert_eq!(log.take(), [(30, "lost"), (30, "gone")]);
}

#[tokio::test(start_paused = true)]
async fn when_the_grace_is_over_they_are_dropped() {
    let log = RefCell::default();
    let scripts = [(30, 11, Ok(1)), (10, 0, Ok(2)), (20, 10, Ok(3))];
    let race = play(&scripts, &log, |grace, children| async move {
        grace.race(|lost| children.make(&lost)).await
    });
    assert_eq!(race.await, (Ok(Ok(2)), 20));
    assert!(!log.take().contains(&(30, "gone")));
}

#[tokio::test(start_paused = true)]
async fn without_a_loser_there_is_no_grace() {
    let log = RefCell::default();
    let scripts = [(30, 9, Ok(1)), (10, 9, Ok(2))];
    let all = play(&scripts, &log, |grace, children| async move {
        grace.all(|lost| children.make(&lost)).await
    });
    assert_eq!(all.await, (Ok(vec![1, 2]), 30));
    let scripts = [(30, 9, Err("a")), (10, 9, Err("b"))];
    let any = play(&scripts, &log, |grace, children| async move {
        grace.any(|lost| children.make(&lost)).await
    });
    let (failed, took) = any.await;
    assert_eq!((failed.unwrap_err().errors(), took), (&["a", "b"][..], 30));
    assert_eq!(log.take(), []);

    let nobody = play(&[], &log, |grace, children| async move {
        let all = grace.all(|lost| children.make(&lost)).await;
        let nobody = || Vec::<std::future::Ready<Result<u32, &str>>>::new();
        let any = grace.any(|_| nobody()).await.unwrap_err().into_errors();
        (all, any, grace.race(|_| nobody()).await)
    });
    assert_eq!(nobody.await, ((Ok(vec![]), vec![], Err(Empty)), 0));
}

/// More than those that share the waker of the task.
#[tokio::test(start_paused = true)]
async fn of_many_all_losers_have_their_grace() {
    let log = RefCell::default();
    let scripts: Vec<Script> = (1..=100).map(|n| (n, n % 10, Ok(n))).collect();
    let race = play(&scripts, &log, |grace, children| async move {
        grace.race(|lost| children.make(&lost)).await
    });
    assert_eq!(race.await, (Ok(Ok(1)), 10));
    let log = log.take();
    let count = |what| log.iter().filter(|(_, noted)| *noted == what).count();
    assert_eq!((count("lost"), count("gone")), (99, 99));
}

#[tokio::test(start_paused = true)]
async fn a_panic_waits_for_the_grace_of_the_others() {
    for loser_panics in [false, true] {
        let log = RefCell::new(Vec::new());
        let graceful = Grace::new(10 * MS).race(|lost| {
            [(5, false), (7, true)].map(|(takes, loses)| {
                let (lost, log) = (lost.clone(), &log);
                async move {
                    if lost.run(sleep(takes * MS)).await.is_ok() {
                        assert!(loser_panics, "the winner panics");
                        return Ok::<_, ()>(());
                    }
                    sleep(3 * MS).await;
                    log.borrow_mut().push(loses);
                    assert!(!loser_panics, "a loser panics");
                    Ok(())
                }
            })
        });
        let panicked = settle(async { graceful.await.map_err(drop)? }).await;
        let Err(Failed::Panicked(panic)) = panicked.into_result() else {
            panic!("nobody panicked");
        };
        let who = if loser_panics {
            "a loser panics"
        } else {
            "the winner panics"
        };
        assert_eq!(panic.message(), who);
        assert_eq!(log.into_inner(), [true], "it was done with its clean-up");
    }
}

/// A panic of one is forgotten where another one succeeds, and goes on where none does.
#[tokio::test(start_paused = true)]
async fn any_takes_a_panic_for_a_failure() {
    let any = |first: bool| {
        Grace::new(MS).any(move |_| {
            [false, first].map(|succeeds| async move {
                assert!(succeeds, "no success");
                Ok::<_, ()>(7)
            })
        })
    };
    assert_eq!(any(true).await.unwrap(), 7);
    let outcome = settle(async { any(false).await }).await;
    assert!(outcome.is_panicked());
}

#[tokio::test(start_paused = true)]
async fn dropped_at_any_step_it_drops_its_children() {
    let polls = sweep(
        Alive::default,
        async |alive: &Alive| {
            let race = Grace::new(5 * MS).race(|lost| {
                [3, 100].map(|takes| {
                    let (inside, lost) = (alive.clone(), lost.clone());
                    async move {
                        let _inside = inside;
                        let _ = lost.run(sleep(takes * MS)).await;
                        sleep(takes * MS / 2).await;
                    }
                })
            });
            race.await
        },
        async |_, _| advance(MS).await,
        async |alive, polls| assert_eq!(alive.others(), 0, "after {polls} polls"),
    )
    .await;
    assert!(polls > 5, "{polls}");
}
