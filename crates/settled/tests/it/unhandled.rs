#[cfg(feature = "tracing")]
mod events;

use std::future::{pending, ready};
use std::process::Command;
use std::sync::{Mutex, OnceLock};
use std::time::Duration;

use settled::{Handle, Outcome, OutcomeKind, Scope, settle, shield, timeout};
use tokio::runtime::Builder;
use tokio::task::yield_now;

use crate::steps::{Alive, poll_once};

type Never = Result<(), ()>;

/// What the hook was told.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Told {
    name: String,
    file: &'static str,
    line: u32,
    kind: OutcomeKind,
    message: String,
    pub(crate) number: Option<u64>,
}

static TOLD: Mutex<Vec<Told>> = Mutex::new(Vec::new());

/// There is one hook in the process, and the tests run at the same time: each looks at tasks of its own names.
pub(crate) fn listen() {
    static ONCE: OnceLock<()> = OnceLock::new();
    ONCE.get_or_init(|| {
        settled::on_unhandled(|failure| {
            let name = failure.name().unwrap_or_default();
            TOLD.lock().unwrap().push(Told {
                name: name.to_owned(),
                file: failure.location().file(),
                line: failure.location().line(),
                kind: failure.kind(),
                message: failure.message().to_owned(),
                number: failure.error().downcast_ref().copied(),
            });
            if name.contains("panicking hook") {
                std::panic::panic_any(crate::steps::DropBomb);
            }
            // No lock is held that these need.
            let _ = (settled::running(), settled::left_over());
        });
    });
}

pub(crate) fn told(name: &str) -> Vec<Told> {
    let told = TOLD.lock().unwrap();
    told.iter()
        .filter(|told| told.name == name)
        .cloned()
        .collect()
}

fn kinds(name: &str) -> Vec<&'static str> {
    told(name).iter().map(|told| told.kind.name()).collect()
}

fn panicking() -> Never {
    panic!("on purpose")
}

#[tokio::test]
async fn an_error_is_told_with_all_that_is_known_of_it() {
    listen();
    let scope = Scope::new();
    let line = line!() + 1;
    drop(scope.named("known").spawn(ready(Err::<(), _>(7_u64))));
    scope.join().await;
    let expected = Told {
        name: "known".into(),
        file: file!(),
        line,
        kind: OutcomeKind::Rejected,
        message: "u64".into(),
        number: Some(7),
    };
    assert_eq!(told("known"), [expected]);
}

/// The location is that of the caller, whichever way the task is started.
#[tokio::test]
async fn the_location_is_the_callers() {
    listen();
    let local = tokio::task::LocalSet::new();
    let (scope, first) = (Scope::new(), line!());
    let spawner = scope.named("location");
    drop(spawner.spawn(ready(Err::<(), _>(0_u64))));
    local
        .run_until(async {
            drop(spawner.spawn_local(ready(Err::<(), _>(1_u64))));
            yield_now().await;
        })
        .await;
    drop(spawner.start(|_: settled::Ready<()>| ready(Err::<(), _>(2_u64))));
    scope.join().await;
    let mut lines: Vec<_> = told("location")
        .iter()
        .map(|told| (told.number, told.line))
        .collect();
    lines.sort_unstable();
    let expected = [(Some(0), first + 2), (Some(1), first + 5)];
    assert_eq!(lines[..2], expected);
    assert_eq!(lines.len(), 2, "given up while starting: cancelled");
}

#[tokio::test]
async fn whichever_comes_first_it_is_told_once() {
    listen();
    let scope = Scope::new();
    let before = scope.named("drop, then end").spawn(async {
        yield_now().await;
        Err::<(), _>("no")
    });
    let after = scope
        .named("end, then drop")
        .spawn(ready(Err::<(), _>("no")));
    drop(before);
    assert_eq!(kinds("drop, then end"), [""; 0]);
    let spawner = scope.spawner();
    scope.join().await;
    assert_eq!(
        kinds("drop, then end"),
        ["rejected"],
        "before the join is over"
    );
    assert_eq!(kinds("end, then drop"), [""; 0]);
    drop(after);
    assert_eq!(kinds("end, then drop"), ["rejected"]);
    drop(spawner);
    assert_eq!(kinds("end, then drop"), ["rejected"]);
}

/// Both ends at the same instant, on two threads, many times over.
#[test]
fn two_threads_tell_once() {
    listen();
    let runtime = Builder::new_multi_thread()
        .worker_threads(2)
        .build()
        .unwrap();
    runtime.block_on(async {
        let scope = Scope::new();
        let spawner = scope.named("at once");
        for number in 0..2000_u64 {
            let handle = spawner.spawn(async move {
                if number % 3 == 0 {
                    yield_now().await;
                }
                Err::<(), _>(number)
            });
            if number % 2 == 0 {
                yield_now().await;
            }
            drop(handle);
        }
        scope.join().await;
    });
    let mut numbers: Vec<_> = told("at once").iter().map(|told| told.number).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (0..2000).map(Some).collect::<Vec<_>>());
}

#[tokio::test]
async fn what_was_looked_at_is_not_told() {
    listen();
    let scope = Scope::new();
    let spawner = scope.named("looked at");
    assert!(spawner.spawn(ready(Err::<(), _>(()))).await.is_rejected());
    let mut handle = Box::pin(spawner.spawn(async {
        yield_now().await;
        Never::Err(())
    }));
    assert!(poll_once(handle.as_mut()).await.is_pending());
    assert!(handle.as_mut().await.is_rejected());
    assert!(handle.is_finished());
    drop(handle);
    assert!(spawner.spawn(async { panicking() }).await.is_panicked());
    assert!(
        settle(async {
            scope.join().await;
            Ok::<_, ()>(())
        })
        .await
        .is_panicked()
    );
    assert_eq!(kinds("looked at"), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn what_is_no_failure_is_not_told() {
    listen();
    let scope = Scope::new();
    let spawner = scope.named("no failure");
    drop(spawner.spawn(ready(Ok::<_, ()>(7))));
    drop(spawner.spawn(pending::<Never>()));
    let late = timeout(Duration::from_millis(1), async {
        drop(spawner.spawn(pending::<Never>()));
        pending::<()>().await;
    });
    assert!(late.await.is_err());
    yield_now().await;
    assert_eq!(scope.running(), 1, "the other one's time was up");
    let cancelled = spawner.spawn(pending::<Never>());
    cancelled.abort("not needed");
    drop(cancelled);
    scope.abort("enough");
    drop(spawner.spawn(pending::<Never>()));
    scope.join().await;
    drop(spawner.spawn(pending::<Never>()));
    assert_eq!(kinds("no failure"), [""; 0]);
}

#[tokio::test]
async fn what_is_ignored_is_not_told() {
    listen();
    for ends_first in [false, true] {
        let scope = Scope::new();
        let spawner = scope.named("ignored");
        let error = spawner.spawn(ready(Err::<(), _>("no")));
        let panic = spawner.spawn(async { panicking() });
        if ends_first {
            yield_now().await;
            yield_now().await;
            assert!(error.is_finished() && panic.is_finished());
        }
        error.ignore();
        panic.ignore();
        yield_now().await;
        // Not joined, so that no join goes on with the panic.
        drop(scope);
    }
    settled::drained().await;
    assert_eq!(kinds("ignored"), [""; 0]);
}

#[tokio::test]
async fn a_panic_that_the_join_goes_on_with_is_not_told_and_a_second_one_is() {
    listen();
    let scope = Scope::new();
    for _ in 0..3 {
        drop(scope.named("one of three").spawn(async {
            let _bomb = crate::steps::DropBomb;
            pending::<Never>().await
        }));
    }
    yield_now().await;
    scope.abort("enough");
    let joined = settle(async {
        scope.join().await;
        Ok::<_, ()>(())
    });
    let Outcome::Panicked(panic) = joined.await else {
        panic!("the join did not panic")
    };
    assert_eq!(panic.message(), "the destructor panicked");
    assert_eq!(kinds("one of three"), ["panicked"; 2]);
}

#[tokio::test]
async fn a_panic_that_no_join_goes_on_with_is_told_when_the_last_who_could_have_is_gone() {
    listen();
    let scope = Scope::new();
    drop(scope.named("scope last").spawn(async { panicking() }));
    yield_now().await;
    yield_now().await;
    assert_eq!(
        kinds("scope last"),
        [""; 0],
        "a join may still go on with it"
    );
    drop(scope);
    assert_eq!(kinds("scope last"), ["panicked"]);

    let scope = Scope::new();
    let handle = scope.named("handle last").spawn(async { panicking() });
    yield_now().await;
    drop(scope);
    settled::drained().await;
    assert_eq!(kinds("handle last"), [""; 0]);
    drop(handle);
    assert_eq!(kinds("handle last"), ["panicked"]);

    let scope = Scope::new();
    drop(scope.named("detached").spawn(async { panicking() }));
    scope.detach();
    let shielded = shield(async { panicking() });
    settled::drained().await;
    assert_eq!(kinds("detached"), ["panicked"]);
    assert!(shielded.await.is_panicked());
}

/// An ownerless scope's panic is told when it happens, also if it is the destructor's of a task that is dropped.
#[tokio::test]
async fn a_panic_on_the_way_out_is_told() {
    listen();
    let scope = Scope::new();
    drop(scope.named("way out").spawn(async {
        let _bomb = crate::steps::DropBomb;
        pending::<Never>().await
    }));
    yield_now().await;
    drop(scope);
    settled::drained().await;
    assert_eq!(kinds("way out"), ["panicked"]);
    assert_eq!(told("way out")[0].message, "the destructor panicked");
}

#[tokio::test]
async fn a_hook_that_panics_harms_nobody() {
    listen();
    let (scope, alive) = (Scope::new(), Alive::default());
    let spawner = scope.named("panicking hook");
    let inside = alive.clone();
    let sibling: Handle<u8, ()> = scope.spawn(async move {
        let _inside = inside;
        for _ in 0..5 {
            yield_now().await;
        }
        Ok(7)
    });
    drop(spawner.spawn(ready(Err::<(), _>("no"))));
    let late = spawner.spawn(ready(Err::<(), _>("no")));
    scope.join().await;
    // Also while a panic is on its way through the handle's owner.
    let through = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let _late = late;
        panic!("on its way")
    }));
    assert_eq!(through.unwrap_err().downcast_ref(), Some(&"on its way"));
    assert_eq!(sibling.await.fulfilled(), Some(7));
    assert_eq!(alive.others(), 0);
    assert_eq!(kinds("panicking hook").len(), 2);
}

/// An error that can't say what it is is told by its type.
#[tokio::test]
async fn an_error_that_panics_or_fails_to_say_what_it_is_is_told_all_the_same() {
    #[derive(Debug)]
    struct Mute(bool);
    impl std::fmt::Display for Mute {
        fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            assert!(self.0, "on purpose");
            Err(std::fmt::Error)
        }
    }
    impl std::error::Error for Mute {}
    type Boxed = Box<dyn std::error::Error + Send + Sync>;
    listen();
    let scope = Scope::new();
    for fails in [true, false] {
        let task = ready(Err::<(), Boxed>(Box::new(Mute(fails))));
        drop(scope.named("mute").spawn(task));
    }
    scope.join().await;
    let told = told("mute");
    assert_eq!(told.len(), 2);
    assert!(told.iter().all(|told| told.message.contains("dyn")));
}

/// There is no owner who could go on with it, so it is told.
#[tokio::test]
async fn a_value_that_explodes_without_an_owner_is_told() {
    listen();
    let scope = Scope::new();
    let explosive = async { Ok::<_, ()>(crate::steps::DropBomb) };
    drop(scope.named("explosive value").spawn(explosive));
    scope.detach();
    settled::drained().await;
    assert_eq!(kinds("explosive value"), ["panicked"]);
}

#[tokio::test]
async fn a_runtime_that_shuts_down_is_no_failure_of_its_tasks() {
    listen();
    let scope = Scope::new();
    std::thread::scope(|threads| {
        threads.spawn(|| {
            let runtime = Builder::new_current_thread().build().unwrap();
            let _inside = runtime.enter();
            drop(scope.named("shut down").spawn(pending::<Never>()));
        });
    });
    scope.join().await;
    assert_eq!(kinds("shut down"), [""; 0]);
}

/// What an error says, where that can be known.
#[tokio::test]
async fn the_message_is_the_errors_own_where_it_can_be_known() {
    async fn said<E: Send + 'static>(name: &str, error: E) -> String {
        let scope = Scope::new();
        drop(scope.named(name).spawn(ready(Err::<(), _>(error))));
        scope.join().await;
        told(name).remove(0).message
    }
    type Boxed = Box<dyn std::error::Error + Send + Sync>;
    #[derive(Debug)]
    struct Own;
    listen();
    assert_eq!(said("literal", "no such file").await, "no such file");
    assert_eq!(said("string", String::from("no")).await, "no");
    assert_eq!(said("boxed", Boxed::from("no disk")).await, "no disk");
    let io = std::io::Error::other("no space");
    assert_eq!(said("io", io).await, "no space");
    let reason = settled::Reason::from("why");
    assert_eq!(said("reason", reason).await, "aborted: why");
    let own = said("own", Own).await;
    assert!(own.ends_with("::Own"), "{own}");
}

/// A process of its own, with no hook.
#[test]
fn without_a_hook_it_is_a_line_on_stderr() {
    const CHILD: &str = "SETTLED_TEST_UNHANDLED";
    if std::env::var_os(CHILD).is_some() {
        let runtime = Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let scope = Scope::new();
            drop(
                scope
                    .named("worker 7")
                    .spawn(ready(Err::<(), _>("no disk"))),
            );
            drop(scope.spawn(ready(Err::<(), _>("no name"))));
            scope.spawn(ready(Err::<(), _>("ignored"))).ignore();
            scope.join().await;
        });
        return;
    }
    let name = "unhandled::without_a_hook_it_is_a_line_on_stderr";
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", name, "--nocapture"])
        .env(CHILD, "1")
        .output()
        .unwrap();
    assert!(child.status.success());
    if cfg!(feature = "tracing") {
        return;
    }
    let stderr = String::from_utf8(child.stderr).unwrap();
    let lines: Vec<_> = stderr
        .lines()
        .filter(|line| line.starts_with("settled:"))
        .collect();
    let place = format!("started at {}:", file!());
    assert_eq!(lines.len(), 2, "{stderr}");
    assert!(lines[0].contains("\"worker 7\"") && lines[0].ends_with(": rejected: no disk"));
    assert!(lines.iter().all(|line| line.contains(&place)), "{stderr}");
}

/// A failed task of a closed form is told as any other; one whose error the body has taken is not.
#[tokio::test]
async fn the_closed_form_tells_too() {
    listen();
    let done = settled::scope(async |scope| {
        drop(scope.named("in a body").spawn(ready(Err::<(), _>(1_u64))));
        let taken = scope.named("in a body").spawn(ready(Err::<(), _>(2_u64)));
        assert!(matches!(taken.await, Outcome::Rejected(2)));
        Ok::<_, ()>(())
    });
    assert_eq!(done.await, Ok(()));
    let numbers: Vec<_> = told("in a body").iter().map(|told| told.number).collect();
    assert_eq!(numbers, [Some(1)]);
}
