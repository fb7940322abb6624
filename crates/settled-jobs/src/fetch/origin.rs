//! An origin (scheme, host, port): what all requests to it have in common.

use std::rc::Rc;

use hashbrown::{Equivalent, HashMap};
use http::header::{HOST, PROXY_AUTHORIZATION};
use http::{HeaderMap, HeaderValue};
use hyper_util::client::proxy::matcher::{Intercept, Matcher};

use super::conn::{Conn, tunnel};
use super::connect::{DialError, tcp};
use super::core::FetchCore;
use super::payload::Sending;
use super::stream::Stream;
use super::target::Target;
use crate::record::{ErrorKind, Failure};

/// Beyond this many, those without a connection are forgotten.
const ORIGINS: usize = 1024;

/// Where requests go, and how they get there.
#[derive(Debug)]
pub(super) struct Origin {
    key: OriginKey,
    /// What every request to it carries, the `Host` included.
    pub(super) headers: HeaderMap,
    proxy: Option<Intercept>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct OriginKey {
    https: bool,
    host: Box<str>,
}

#[derive(Hash)]
struct OriginRef<'a> {
    https: bool,
    host: &'a str,
}

impl Equivalent<OriginKey> for OriginRef<'_> {
    fn equivalent(&self, key: &OriginKey) -> bool {
        self.https == key.https && *self.host == *key.host
    }
}

/// The origins that a core has to do with.
#[derive(Debug, Default)]
pub(super) struct Origins(HashMap<OriginKey, Rc<Origin>>);

impl Origins {
    pub(super) fn of(
        &mut self,
        target: &Target,
        headers: &HeaderMap,
        proxies: Option<&Matcher>,
    ) -> Rc<Origin> {
        if let Some(origin) = self.0.get(&OriginRef {
            https: target.https(),
            host: target.host(),
        }) {
            return Rc::clone(origin);
        }
        if self.0.len() >= ORIGINS {
            self.0.retain(|_, origin| Rc::strong_count(origin) > 1);
        }
        let origin = Rc::new(Origin::new(target, headers, proxies));
        self.0.insert(origin.key.clone(), Rc::clone(&origin));
        origin
    }
}

impl Origin {
    fn new(target: &Target, defaults: &HeaderMap, proxies: Option<&Matcher>) -> Self {
        let key = OriginKey {
            https: target.https(),
            host: target.host().into(),
        };
        let proxy = proxies.and_then(|proxies| proxies.intercept(target.uri()));
        // Of exactly the size that is needed: it is copied for every request.
        let mut headers = HeaderMap::with_capacity(defaults.len() + 2);
        if !defaults.contains_key(HOST)
            && let Ok(host) = HeaderValue::from_str(target.authority())
        {
            headers.insert(HOST, host);
        }
        for (name, value) in defaults {
            headers.append(name, value.clone());
        }
        let mut origin = Self {
            key,
            headers,
            proxy,
        };
        if let (true, Some(auth)) = (
            origin.absolute(),
            origin.proxy.as_ref().and_then(Intercept::basic_auth),
        ) {
            origin.headers.insert(PROXY_AUTHORIZATION, auth.clone());
        }
        origin
    }

    /// The request line has the whole URL: it goes to a proxy that passes it on.
    pub(super) fn absolute(&self) -> bool {
        self.proxy.is_some() && !self.key.https
    }

    pub(super) async fn connect(&self, core: &FetchCore) -> Result<Box<Conn>, DialError> {
        let shared = &core.shared;
        let deny_private = shared.config.connect.deny_private;
        let mut stream = match &self.proxy {
            None => tcp(&core.dns, &self.key.host, deny_private).await?,
            Some(proxy) => self.through(proxy, core).await?,
        };
        if self.key.https {
            stream = shared.tls.over(stream, &self.key.host).await?;
        }
        let conn = Conn::new(stream)
            .await
            .map_err(|error| Failure::transient(ErrorKind::Connect, error.to_string()))?;
        Ok(Box::new(conn))
    }

    async fn through(&self, proxy: &Intercept, core: &FetchCore) -> Result<Stream, DialError> {
        let uri = proxy.uri();
        let (port, tls) = match uri.scheme_str() {
            Some("http") => (80, false),
            Some("https") => (443, true),
            other => {
                let message = format!(
                    "the proxy that the environment names is of a kind that is not possible here: {}",
                    other.unwrap_or("?")
                );
                return Err(Failure::permanent(ErrorKind::Connect, message).into());
            }
        };
        let host_port = format!(
            "{}:{}",
            uri.host().unwrap_or_default(),
            uri.port_u16().unwrap_or(port)
        );
        let named = |failure: Failure| Failure {
            message: format!("proxy: {}", failure.message).into(),
            ..failure
        };
        let mut stream = match tcp(&core.dns, &host_port, false).await {
            Err(DialError::Failed(failure)) => return Err(named(failure).into()),
            other => other?,
        };
        if tls {
            stream = core
                .shared
                .tls
                .over(stream, &host_port)
                .await
                .map_err(named)?;
        }
        if self.key.https {
            Ok(self.tunnel(stream, proxy).await?)
        } else {
            Ok(stream)
        }
    }

    /// Asks the proxy for a tunnel.
    async fn tunnel(&self, stream: Stream, proxy: &Intercept) -> Result<Stream, Failure> {
        let lost = |why: String| {
            Failure::transient(
                ErrorKind::Connect,
                format!("proxy: no tunnel to {}: {why}", self.key.host),
            )
        };
        let mut request = http::Request::connect(&*self.key.host).header(HOST, &*self.key.host);
        if let Some(auth) = proxy.basic_auth() {
            request = request.header(PROXY_AUTHORIZATION, auth);
        }
        let request = request
            .body(Sending::Empty)
            .map_err(|error| lost(error.to_string()))?;
        let (status, tunnel) = tunnel(stream, request)
            .await
            .map_err(|error| lost(error.to_string()))?;
        match tunnel {
            Some(stream) => Ok(stream),
            None if status.is_success() => Err(lost("it broke the protocol".into())),
            None => Err(Failure {
                retry: status.is_server_error(),
                ..lost(status.to_string())
            }),
        }
    }
}
