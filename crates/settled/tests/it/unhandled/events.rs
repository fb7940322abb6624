//! With the feature `tracing`: failures are events, and tasks keep the span of whoever starts them.

use std::fmt::Debug;
use std::sync::{Arc, Mutex};

use settled::Scope;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_core::span::Current;

/// What it heard: events with their fields, and the spans that were entered.
#[derive(Clone, Default)]
struct Listener {
    heard: Arc<Mutex<Vec<String>>>,
    /// All that were made, in their order, and those that are entered.
    made: Arc<Mutex<Vec<&'static Metadata<'static>>>>,
    entered: Arc<Mutex<Vec<u64>>>,
}

struct Fields(String);

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.0 += &format!(" {field}={value:?}");
    }
}

impl Subscriber for Listener {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() <= Level::INFO
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        let mut made = self.made.lock().unwrap();
        made.push(span.metadata());
        Id::from_u64(made.len() as u64)
    }

    fn current_span(&self) -> Current {
        let Some(&id) = self.entered.lock().unwrap().last() else {
            return Current::none();
        };
        Current::new(Id::from_u64(id), self.made.lock().unwrap()[id as usize - 1])
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut fields = Fields(event.metadata().level().to_string());
        event.record(&mut fields);
        self.heard.lock().unwrap().push(fields.0);
    }

    fn enter(&self, span: &Id) {
        self.entered.lock().unwrap().push(span.into_u64());
        let line = format!("enter {}", span.into_u64());
        self.heard.lock().unwrap().push(line);
    }

    fn exit(&self, span: &Id) {
        self.entered.lock().unwrap().pop();
        let line = format!("exit {}", span.into_u64());
        self.heard.lock().unwrap().push(line);
    }
}

/// The hook belongs to the process, and other tests have set one: so it is called from a process of its own.
#[test]
fn a_failure_is_an_event() {
    const CHILD: &str = "SETTLED_TEST_EVENTS";
    if std::env::var_os(CHILD).is_none() {
        let name = "unhandled::events::a_failure_is_an_event";
        let child = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", name])
            .env(CHILD, "1")
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&child.stdout);
        assert!(
            child.status.success() && text.contains("1 passed"),
            "{text}"
        );
        return;
    }
    let listener = Listener::default();
    tracing::subscriber::with_default(listener.clone(), || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        runtime.block_on(async {
            let scope = Scope::new();
            drop(
                scope
                    .named("worker 7")
                    .spawn(async { Err::<(), _>("no disk") }),
            );
            scope.join().await;
        });
    });
    let heard = listener.heard.lock().unwrap();
    let event = heard.iter().find(|line| line.starts_with("ERROR")).unwrap();
    for part in ["message=no disk", "worker 7", "kind=\"rejected\"", file!()] {
        assert!(event.contains(part), "{part}: {event}");
    }
}

#[test]
fn a_task_is_polled_in_the_span_of_whoever_started_it() {
    let listener = Listener::default();
    tracing::subscriber::with_default(listener.clone(), || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        runtime.block_on(async {
            let scope = Scope::new();
            let request = tracing::info_span!("request");
            let task = request.in_scope(|| {
                scope.spawn(async {
                    tracing::info!("first");
                    tokio::task::yield_now().await;
                    tracing::info!("second");
                    Ok::<_, ()>(())
                })
            });
            tracing::info!("outside");
            assert!(task.await.is_fulfilled());
            scope.join().await;
        });
    });
    let heard = listener.heard.lock().unwrap();
    let said: Vec<_> = heard
        .iter()
        .map(|line| line.trim_start_matches("INFO "))
        .collect();
    let polls = ["enter 1", "exit 1", "message=outside"];
    let inside = [
        "enter 1",
        "message=first",
        "exit 1",
        "enter 1",
        "message=second",
        "exit 1",
    ];
    assert_eq!(said, [&polls[..], &inside[..]].concat());
}
