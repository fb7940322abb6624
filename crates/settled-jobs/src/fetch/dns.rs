//! Host names to addresses: looked up once for all slots of a core, remembered for a minute.

use std::cell::RefCell;
use std::io;
use std::net::IpAddr;
use std::rc::Rc;
use std::time::Duration;

use hashbrown::HashMap;
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::record::{ErrorKind, Failure};

const FOUND_FOR: Duration = Duration::from_secs(60);
/// Long enough that the slots which wait for one lookup share its failure, too short to outlast a back-off.
const FAILED_FOR: Duration = Duration::from_secs(1);
/// Beyond this many names what is out of date is forgotten, or else everything.
const NAMES: usize = 4096;

/// What a lookup came to.
type Found = Result<Rc<[IpAddr]>, LookupError>;

/// Why there is no address.
#[derive(Clone, Debug)]
pub(super) enum LookupError {
    Failed(Failure),
    /// No file descriptor was to be had.
    NoFds,
}

/// The names that a core knows.
#[derive(Debug, Default)]
pub(super) struct Dns {
    names: RefCell<HashMap<Box<str>, Entry>>,
}

#[derive(Debug)]
enum Entry {
    Known(Found, Instant),
    /// A slot is looking it up; it tells the others.
    Asking(Rc<Notify>),
}

impl Dns {
    /// The addresses of `host`, most preferred first.
    ///
    /// `getaddrinfo` runs on the runtime's blocking threads and can't be called back: a slot that gives up waiting leaves it to end
    /// by itself, which the resolver's own time limits see to.
    pub(super) async fn lookup(&self, host: &str) -> Found {
        loop {
            let asked = match self.names.borrow().get(host) {
                Some(Entry::Known(found, until)) if Instant::now() < *until => {
                    return found.clone();
                }
                Some(Entry::Asking(notify)) => Some(Rc::clone(notify)),
                _ => None,
            };
            match asked {
                Some(notify) => notify.notified().await,
                None => return self.ask(host).await,
            }
        }
    }

    async fn ask(&self, host: &str) -> Found {
        let notify = Rc::new(Notify::new());
        self.make_room();
        self.names
            .borrow_mut()
            .insert(host.into(), Entry::Asking(Rc::clone(&notify)));
        let asking = Asking {
            dns: self,
            host,
            notify,
        };
        let found = resolve(host).await;
        let lasts = if found.is_ok() { FOUND_FOR } else { FAILED_FOR };
        if !matches!(found, Err(LookupError::NoFds)) {
            self.names.borrow_mut().insert(
                host.into(),
                Entry::Known(found.clone(), Instant::now() + lasts),
            );
        }
        drop(asking);
        found
    }

    fn make_room(&self) {
        let mut names = self.names.borrow_mut();
        if names.len() < NAMES {
            return;
        }
        let now = Instant::now();
        names.retain(|_, entry| {
            matches!(entry, Entry::Asking(_))
                || matches!(entry, Entry::Known(_, until) if now < *until)
        });
        if names.len() >= NAMES {
            names.retain(|_, entry| matches!(entry, Entry::Asking(_)));
        }
    }
}

/// Held by the slot that looks a name up: however it ends, also by being dropped, the others go on, and one of them takes over.
struct Asking<'a> {
    dns: &'a Dns,
    host: &'a str,
    notify: Rc<Notify>,
}

impl Drop for Asking<'_> {
    fn drop(&mut self) {
        let mut names = self.dns.names.borrow_mut();
        if matches!(names.get(self.host), Some(Entry::Asking(_))) {
            names.remove(self.host);
        }
        self.notify.notify_waiters();
    }
}

async fn resolve(host: &str) -> Found {
    match tokio::net::lookup_host((host, 0)).await {
        Ok(found) => {
            let mut addresses = Vec::new();
            for address in found.map(|address| address.ip()) {
                if !addresses.contains(&address) {
                    addresses.push(address);
                }
            }
            if addresses.is_empty() {
                Err(LookupError::Failed(unknown(host)))
            } else {
                Ok(addresses.into())
            }
        }
        Err(error) if super::connect::no_fds(&error) => Err(LookupError::NoFds),
        Err(error) => Err(LookupError::Failed(failure(host, &error))),
    }
}

fn unknown(host: &str) -> Failure {
    Failure::permanent(ErrorKind::Dns, format!("no address for host {host:?}"))
}

/// `getaddrinfo` says which error it was in words only: a name that does not exist is told from a resolver that is not answering.
fn failure(host: &str, error: &io::Error) -> Failure {
    let text = error.to_string();
    let gone = [
        "Name or service not known",
        "No address associated",
        "not known",
        "Non-recoverable failure",
        "invalid",
    ];
    if gone.iter().any(|words| text.contains(words)) {
        return unknown(host);
    }
    let text = text
        .strip_prefix("failed to lookup address information: ")
        .unwrap_or(&text);
    Failure::transient(
        ErrorKind::Dns,
        format!("host {host:?} could not be looked up: {text}"),
    )
}

/// The two address families in turn, the preferred one first (RFC 8305): one that is broken costs one step, not all of its addresses.
pub(super) fn interleaved(addresses: &[IpAddr]) -> Vec<IpAddr> {
    let preferred = addresses.first().is_some_and(IpAddr::is_ipv6);
    let (mut first, mut second): (Vec<_>, Vec<_>) = addresses
        .iter()
        .copied()
        .partition(|address: &IpAddr| address.is_ipv6() == preferred);
    first.reverse();
    second.reverse();
    let mut all = Vec::with_capacity(addresses.len());
    while !first.is_empty() || !second.is_empty() {
        all.extend(first.pop());
        all.extend(second.pop());
    }
    all
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::{Context, Waker};

    use super::*;

    #[tokio::test]
    async fn those_who_ask_for_one_name_share_one_lookup() {
        let dns = Dns::default();
        let (one, other) = tokio::join!(dns.lookup("localhost"), dns.lookup("localhost"));
        let (one, other) = (one.expect("an address"), other.expect("an address"));
        assert!(Rc::ptr_eq(&one, &other) && one.iter().all(IpAddr::is_loopback));
        let later = dns.lookup("localhost").await.expect("an address");
        assert!(Rc::ptr_eq(&one, &later), "it is remembered");
    }

    #[tokio::test]
    async fn a_failure_is_shared_too() {
        let dns = Dns::default();
        let (one, other) = tokio::join!(dns.lookup("a.invalid"), dns.lookup("a.invalid"));
        let message = |found: Found| match found {
            Err(LookupError::Failed(failure)) => (failure.kind, failure.message),
            other => panic!("{other:?}"),
        };
        let one = message(one);
        assert_eq!((one.0, &one), (ErrorKind::Dns, &message(other)));
    }

    /// Whoever looked the name up is gone: one of those who waited takes over.
    #[tokio::test]
    async fn a_lookup_that_is_given_up_is_taken_over() {
        let dns = Dns::default();
        let mut cx = Context::from_waker(Waker::noop());
        let mut first = Box::pin(dns.lookup("localhost"));
        let mut second = pin!(dns.lookup("localhost"));
        assert!(
            first.as_mut().poll(&mut cx).is_pending() && second.as_mut().poll(&mut cx).is_pending()
        );
        drop(first);
        assert!(second.await.is_ok());
        assert!(
            dns.names
                .borrow()
                .values()
                .all(|entry| matches!(entry, Entry::Known(..)))
        );
    }

    #[test]
    fn names_do_not_pile_up() {
        let dns = Dns::default();
        let asking = Entry::Asking(Rc::new(Notify::new()));
        dns.names.borrow_mut().insert("asked".into(), asking);
        let soon = Instant::now() + FOUND_FOR;
        for n in 0..2 * NAMES {
            dns.make_room();
            let known = Entry::Known(Err(LookupError::NoFds), soon);
            dns.names.borrow_mut().insert(n.to_string().into(), known);
            assert!(dns.names.borrow().len() <= NAMES);
        }
        assert!(
            dns.names.borrow().contains_key("asked"),
            "somebody waits for it"
        );
    }
}
