//! `map_while`: where it ends, and what counts then.

use std::future::pending;

use settled::{map, map_while};
use tokio::task::yield_now;

use super::{Strict, Told, kinds};

/// What runs behind the end is dropped, in tasks of its own as well: it would never end.
#[tokio::test]
async fn the_end_does_not_wait_for_what_is_behind_it() {
    let body = |n: u32| async move {
        match n {
            3 => {
                // Until those behind it run as well.
                for _ in 0..20 {
                    yield_now().await;
                }
                Ok::<_, String>(None)
            }
            4.. => pending().await,
            _ => Ok(Some(n)),
        }
    };
    assert_eq!(
        map_while(0.., body).limit(6).collect().await,
        Ok(vec![0, 1, 2])
    );
    let spawned = map_while(0.., body).limit(6).spawned();
    assert_eq!(spawned.collect().await.unwrap(), [0, 1, 2]);
    let mut stream = map_while(0.., body).limit(6).spawned().stream();
    let mut values = Vec::new();
    while let Some(outcome) = stream.next().await {
        values.push(outcome.fulfilled().unwrap());
    }
    assert_eq!(values, [0, 1, 2]);
}

/// A failure behind the end is as if it had never been started.
#[tokio::test]
async fn a_failure_behind_the_end_does_not_count() {
    let body = |n: u32| async move {
        let steps = [0, 0, 100, 30, 60, 70];
        for _ in 0..steps[n as usize] {
            yield_now().await;
        }
        match n {
            3 => Ok(None),
            4.. => Err("behind the end"),
            _ => Ok(Some(n)),
        }
    };
    let all = || map_while(0..6, body).limit(6);
    assert_eq!(all().collect().await, Ok(vec![0, 1, 2]));
    assert_eq!(all().spawned().collect().await.unwrap(), [0, 1, 2]);
    assert_eq!(all().spawned().collect_partial().await.outcomes.len(), 3);
    let mut stream = all().spawned().stream();
    for n in 0..3 {
        assert_eq!(stream.next().await.unwrap().fulfilled(), Some(n));
    }
    assert!(stream.next().await.is_none());
}

/// An earlier item may end it once more.
#[tokio::test]
async fn the_earliest_end_counts() {
    let body = |n: u32| async move {
        // 5 is the first to say so, then 3, then 2.
        let steps = match n {
            5 => 1,
            3 => 3,
            2 => 5,
            _ => 7,
        };
        for _ in 0..steps {
            yield_now().await;
        }
        Ok::<_, String>((![2, 3, 5].contains(&n)).then_some(n))
    };
    assert_eq!(
        map_while(0.., body).limit(8).collect().await,
        Ok(vec![0, 1])
    );
    assert_eq!(
        map_while(0.., body)
            .limit(8)
            .spawned()
            .collect()
            .await
            .unwrap(),
        [0, 1]
    );
}

/// `unordered` changes the order and nothing else.
#[tokio::test]
async fn unordered_keeps_nothing_from_behind_the_end() {
    let body = |n: u32| async move {
        if n < 4 {
            for _ in n..4 {
                yield_now().await;
            }
        }
        Ok::<_, String>((n != 3).then_some(n))
    };
    let mut values = map_while(0.., body)
        .limit(6)
        .unordered()
        .collect()
        .await
        .unwrap();
    assert_eq!(values, [2, 1, 0]);
    values = map_while(0.., body)
        .limit(6)
        .unordered()
        .spawned()
        .collect()
        .await
        .unwrap();
    values.sort_unstable();
    assert_eq!(values, [0, 1, 2]);
    let outcomes = map_while(0.., body)
        .limit(6)
        .unordered()
        .collect_settled()
        .await;
    assert_eq!(outcomes.len(), 3);
}

/// What is behind the end has no outcome, and a later failure before it does not bring it back.
#[tokio::test]
async fn a_failure_before_the_end_accounts_up_to_the_end() {
    let body = |n: u32| async move {
        match n {
            0 => {
                yield_now().await;
                Err("after the end was known")
            }
            1 => pending().await,
            2 => Ok(None),
            _ => Ok(Some(n)),
        }
    };
    let partial = map_while(0..10, body).limit(4).collect_partial().await;
    assert_eq!(kinds(&partial.outcomes), ["rejected", "cancelled"]);
    assert_eq!(
        partial.rest.collect::<Vec<_>>(),
        (3..10).collect::<Vec<_>>()
    );
}

/// A worker that holds a batch when it comes to the end hands back what it has not started.
#[tokio::test]
async fn a_batch_with_the_end_in_its_midst_comes_back() {
    for end in 0..50 {
        let body = move |n: u32| async move { Ok::<_, ()>((n < end).then_some(n)) };
        let map = map_while(0..100, body).spawned();
        let partial = map.collect_partial().await;
        assert_eq!(partial.outcomes.len(), end as usize);
        assert_eq!(Vec::from_iter(partial.rest), Vec::from_iter(end + 1..100));
    }
}

/// Neither the map nor the rest ask a source that has ended.
#[tokio::test]
async fn a_source_that_has_ended_is_left_alone() {
    let told = Told::default();
    let source = Strict {
        items: 0..5,
        told: &told,
    };
    let partial = map(source, async |n: u32| Ok::<_, ()>(n))
        .limit(3)
        .collect_partial()
        .await;
    assert!(partial.is_fulfilled());
    assert_eq!(told.asked.get(), 6);
    let mut rest = partial.rest;
    assert_eq!((rest.next(), rest.next()), (None, None));
    assert_eq!((told.asked.get(), told.dropped.get()), (6, 1));
}

/// The rest of a map that ended half-way goes up to the end of the source, once.
#[tokio::test]
async fn the_rest_ends_once() {
    let told = Told::default();
    let source = Strict {
        items: 0..5,
        told: &told,
    };
    let partial = map_while(source, async |n: u32| Ok::<_, ()>((n < 1).then_some(n)))
        .collect_partial()
        .await;
    let mut rest = partial.rest;
    assert_eq!(rest.by_ref().collect::<Vec<_>>(), [2, 3, 4]);
    assert_eq!(rest.next(), None);
}
