//! What callers write: each of these has to compile as it stands, with no type named, and to say what it should.

use std::collections::{BTreeMap, HashMap};
use std::future::{IntoFuture, Ready, ready};
use std::time::Duration;

use settled::{
    AnyError, Empty, Failed, Reason, ReasonKind, Scope, all, all_keyed, all_settled,
    all_settled_keyed, any, any_keyed, race, race_keyed, series, timeout,
};
use tokio::task::yield_now;

type Boxed = std::pin::Pin<Box<dyn Future<Output = Result<usize, String>> + Send>>;

const SECOND: Duration = Duration::from_secs(1);

async fn length(of: &str) -> Result<usize, String> {
    yield_now().await;
    if of.is_empty() {
        Err("empty".to_owned())
    } else {
        Ok(of.len())
    }
}

/// Something that becomes a future when it is waited for, as builders do.
struct Builder(u32);

impl IntoFuture for Builder {
    type Output = Result<u32, String>;
    type IntoFuture = Ready<Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        ready(Ok(self.0))
    }
}

#[tokio::test]
async fn children_borrow_from_the_caller() {
    let words = ["a".to_owned(), "bc".to_owned()];
    let mut seen = Vec::new();
    let lengths = all(words.iter().map(|word| length(word))).await;
    assert_eq!(lengths, Ok(vec![1, 2]));
    let both = all((length(&words[0]), async {
        seen.push("two");
        Ok::<_, String>(())
    }))
    .await;
    assert_eq!(both, Ok((1, ())));
    assert_eq!(seen, ["two"]);
}

#[tokio::test]
async fn any_collection_of_futures_will_do() {
    let futures = || vec![length("a"), length("bc")];
    assert_eq!(all(futures()).await, Ok(vec![1, 2]));
    assert_eq!(all([length("a"), length("bc")]).await, Ok(vec![1, 2]));
    assert_eq!(all(futures().into_iter().skip(1)).await, Ok(vec![2]));
    assert_eq!(all(Some(length("a"))).await, Ok(vec![1]));
    let boxed: Vec<Boxed> = vec![Box::pin(length("a")), Box::pin(async { Ok(7) })];
    assert_eq!(all(boxed).await, Ok(vec![1, 7]));
    let mut pinned = std::pin::pin!(length("abc"));
    assert_eq!(all([pinned.as_mut()]).await, Ok(vec![3]));
    assert_eq!(all_settled(futures()).await.len(), 2);
    assert_eq!(any(futures()).await, Ok(1));
    assert_eq!(race(futures()).await, Ok(Ok(1)));
    assert_eq!(series(futures()).await, Ok(vec![1, 2]));
}

#[tokio::test]
async fn keyed_children_come_from_maps_and_go_into_maps() {
    let by_name = HashMap::from([("x", length("a")), ("y", length("bc"))]);
    let lengths: HashMap<_, _> = all_keyed(by_name).await.unwrap().into_iter().collect();
    assert_eq!((lengths["x"], lengths["y"]), (1, 2));
    let by_name = || BTreeMap::from([("x", length("")), ("y", length("bc"))]);
    let outcomes = all_settled_keyed(by_name()).await;
    assert_eq!((outcomes[0].0, outcomes[1].0), ("x", "y"));
    assert_eq!(any_keyed(by_name()).await, Ok(("y", 2)));
    let (key, output) = race_keyed(by_name()).await.unwrap();
    assert_eq!((key, output), ("x", Err("empty".to_owned())));
}

#[tokio::test]
async fn builders_are_children() {
    assert_eq!(all([Builder(1), Builder(2)]).await, Ok(vec![1, 2]));
    assert_eq!(all((Builder(1), length("ab"))).await, Ok((1, 2)));
    assert_eq!(all_settled((Builder(1),)).await.0.fulfilled(), Some(1));
    assert_eq!(any([Builder(1)]).await, Ok(1));
    assert_eq!(race((Builder(1), Builder(2))).await, Ok(1));
    assert_eq!(series((Builder(1), Builder(2))).await, Ok((1, 2)));
    assert_eq!(all_keyed([("k", Builder(1))]).await.unwrap(), [("k", 1)]);
}

#[tokio::test(start_paused = true)]
async fn timeouts_are_children() {
    let slow = || async {
        tokio::time::sleep(2 * SECOND).await;
        1
    };
    let fast = || async { 2 };
    assert!(
        all((timeout(SECOND, fast()), timeout(SECOND, slow())))
            .await
            .is_err()
    );
    assert_eq!(
        any((timeout(SECOND, slow()), timeout(SECOND, fast()))).await,
        Ok(2)
    );
}

/// A handle by value belongs to the combinator; by reference, its task goes on in its scope.
#[tokio::test]
async fn handles_are_children() {
    let scope = Scope::new();
    let spawn = |word: &'static str| scope.spawn(length(word));
    assert_eq!(all([spawn("a"), spawn("bc")]).await.unwrap(), [1, 2]);
    let error = all((spawn(""), spawn("bc"))).await.unwrap_err();
    assert!(matches!(error, Failed::Rejected(why) if why == "empty"));

    let mut stays = scope.spawn(std::future::pending::<Result<(), String>>());
    let (done, gate) = tokio::sync::oneshot::channel::<()>();
    let mut goes_on = scope.spawn(async { gate.await.map_err(|_| "dropped".to_owned()) });
    let mut first = spawn("a");
    let winner = race((async { drop((&mut goes_on).await) }, async {
        drop((&mut first).await)
    }));
    winner.await;
    done.send(()).unwrap();
    assert!(goes_on.await.is_fulfilled(), "it lost, and it went on");
    let lost = race((async { drop((&mut stays).await) }, async {}));
    lost.await;
    assert!(scope.running() > 0, "it lost, and it goes on");
    let mut other = scope.spawn(ready(Ok::<_, String>(())));
    any([&mut stays, &mut other]).await.unwrap();
    assert!(
        scope.running() > 0,
        "it lost as a reference, and it goes on"
    );
    scope.abort(Reason::new(ReasonKind::Aborted));
}

/// The futures of the verbs can be sent to another thread if their children can: also those of closures that borrow.
#[tokio::test]
async fn tasks_wait_for_all_sorts_of_children() {
    async fn work() -> Result<usize, String> {
        let words = Vec::from(["a".to_owned(), "bc".to_owned()]);
        let mut sum = 0;
        sum += all(words.iter().map(|word| length(word))).await?.len();
        sum += all(words.iter().map(|word| async move { length(word).await }))
            .await?
            .len();
        sum += all((length(&words[0]), length(&words[1]))).await?.0;
        sum += all_settled(words.iter().map(|word| length(word)))
            .await
            .len();
        sum += all_settled((length(&words[0]), async { Err::<(), _>(1) }))
            .await
            .0
            .is_fulfilled() as usize;
        sum += any(words.iter().map(|word| length(word)))
            .await
            .unwrap_or_default();
        sum += any((length(&words[0]), length(&words[1])))
            .await
            .unwrap_or_default();
        sum += race(words.iter().map(|word| length(word)))
            .await
            .map_err(|e: Empty| e.to_string())??;
        sum += race((length(&words[0]), length(&words[1]))).await?;
        sum += series(words.iter().map(|word| length(word))).await?.len();
        sum += series((length(&words[0]), length(&words[1]))).await?.1;
        let keyed = || words.iter().map(|word| (word.as_str(), length(word)));
        sum += all_keyed(keyed()).await.map_err(|e| e.error)?.len();
        sum += all_settled_keyed(keyed()).await.len();
        sum += any_keyed(keyed())
            .await
            .map_err(|e: AnyError<_>| e.to_string())?
            .1;
        sum += race_keyed(keyed()).await.unwrap().1?;
        Ok(sum)
    }
    assert_eq!(
        tokio::spawn(work()).await.unwrap(),
        Ok(2 + 2 + 1 + 2 + 1 + 1 + 1 + 1 + 1 + 2 + 2 + 2 + 2 + 1 + 1)
    );
}

/// A function that is generic over what it waits for.
#[tokio::test]
async fn generic_callers_name_no_kind() {
    async fn both<T: Send + 'static, F>(futures: Vec<F>) -> Vec<T>
    where
        F: Future<Output = Result<T, String>> + Send + 'static,
    {
        tokio::spawn(all(futures)).await.unwrap().unwrap()
    }
    assert_eq!(both(vec![length("a"), length("bc")]).await, [1, 2]);
}

#[tokio::test]
async fn verbs_nest() {
    let nested = all((
        all([length("a"), length("bc")]),
        async {
            any((length(""), length("abc")))
                .await
                .map_err(|e| e.to_string())
        },
        async { race([length("abcd")]).await.unwrap() },
    ));
    assert_eq!(nested.await, Ok((vec![1, 2], 3, 4)));
}
