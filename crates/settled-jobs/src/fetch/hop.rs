//! One request of the chain that redirects make: what it is, and what the next one is.

use std::borrow::Cow;

use http::header::{
    AUTHORIZATION, CONTENT_ENCODING, CONTENT_LANGUAGE, CONTENT_LOCATION, CONTENT_TYPE, HOST,
    HeaderName,
};
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, Uri};

use super::origin::Origin;
use super::payload::Sending;
use super::spec::{FetchSpec, Payload};
use super::target::Target;
use super::work::Shared;
use crate::job::{Id, Job, KeyHasher};
use crate::record::{ErrorKind, Failure};

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// What goes with a body, and is left out where a redirect leaves the body out.
const ABOUT_BODY: [HeaderName; 4] = [
    CONTENT_TYPE,
    CONTENT_ENCODING,
    CONTENT_LANGUAGE,
    CONTENT_LOCATION,
];

/// One request of a try.
#[derive(Debug)]
pub(super) struct Hop<'a> {
    pub(super) target: Cow<'a, Target>,
    pub(super) method: Method,
    payload: Option<&'a Payload>,
    /// It has left the first origin at some time: secrets stay behind, also if it comes back.
    strayed: bool,
    pub(super) redirects: u32,
}

impl<'a> Hop<'a> {
    /// What the job asks for.
    pub(super) fn first(job: &'a Job<FetchSpec>, shared: &'a Shared) -> Self {
        let own = job.spec.own.as_deref();
        let payload = own
            .and_then(|own| own.body.as_ref())
            .or(shared.payload.as_ref());
        let method = own
            .and_then(|own| own.method.as_ref())
            .or(shared.config.method.as_ref());
        let usual = || {
            if payload.is_some() {
                Method::POST
            } else {
                Method::GET
            }
        };
        Self {
            target: Cow::Borrowed(&job.spec.target),
            method: method.cloned().unwrap_or_else(usual),
            payload,
            strayed: false,
            redirects: 0,
        }
    }

    /// Where a redirect leads to.
    pub(super) fn follow(
        self,
        status: StatusCode,
        headers: &HeaderMap,
        max: u32,
    ) -> Result<Self, Failure> {
        if self.redirects >= max {
            let message = format!("more than {max} redirects");
            return Err(Failure::permanent(ErrorKind::Redirect, message));
        }
        let target = self.target.redirect(headers)?;
        // As browsers do: a POST that is sent elsewhere by 301 or 302 becomes a GET, as does everything by 303.
        let get = match status {
            StatusCode::MOVED_PERMANENTLY | StatusCode::FOUND => self.method == Method::POST,
            StatusCode::SEE_OTHER => self.method != Method::HEAD,
            _ => false,
        };
        let (method, payload) = if get {
            (Method::GET, None)
        } else {
            (self.method, self.payload)
        };
        let strayed = self.strayed || !target.same_origin(&self.target);
        let target = Cow::Owned(target);
        Ok(Self {
            target,
            method,
            payload,
            strayed,
            redirects: self.redirects + 1,
        })
    }

    /// The request as it is sent to `origin`. Of headers, the job's own go before the URL's, and these before the run's.
    pub(super) fn request(
        &self,
        job: &Job<FetchSpec>,
        shared: &Shared,
        origin: &Origin,
    ) -> Result<Request<Sending>, Failure> {
        let mut request = Request::new(Sending::new(self.payload)?);
        *request.method_mut() = self.method.clone();
        *request.uri_mut() = match origin.absolute() {
            true => self.target.uri().clone(),
            false => Uri::from(self.target.path()),
        };
        let mut headers = origin.headers.clone();
        if let Some(auth) = &self.target.auth {
            headers.insert(AUTHORIZATION, HeaderValue::clone(auth));
        }
        if let Some(own) = &job.spec.own {
            for name in own.headers.keys() {
                headers.remove(name);
            }
            for (name, value) in &own.headers {
                headers.append(name, value.clone());
            }
        }
        if let Some(seed) = &shared.config.idempotency_key {
            headers.insert(IDEMPOTENCY_KEY, idempotency_key(seed, job));
        }
        if self.redirects > 0 {
            self.leave_out(&mut headers);
        }
        *request.headers_mut() = headers;
        Ok(request)
    }

    /// Takes out of the headers what a redirect must not carry on.
    fn leave_out(&self, headers: &mut HeaderMap) {
        if self.payload.is_none() {
            for name in ABOUT_BODY {
                headers.remove(name);
            }
        }
        if !self.strayed {
            return;
        }
        let secret = headers.iter().filter(|(_, value)| value.is_sensitive());
        let secret: Vec<_> = secret.map(|(name, _)| name.clone()).collect();
        for name in secret {
            headers.remove(name);
        }
        if let Ok(host) = HeaderValue::from_str(self.target.authority()) {
            headers.insert(HOST, host);
        }
    }
}

/// Stable for a job and a ledger, whatever else changes.
fn idempotency_key(seed: &str, job: &Job<FetchSpec>) -> HeaderValue {
    let mut key = KeyHasher::new();
    key.part(seed.as_bytes());
    match &job.id {
        Id::Line => key.part(job.seq.to_string().as_bytes()),
        Id::Own(id) => key.part(id.as_bytes()),
    }
    key.part(&job.key.0);
    HeaderValue::try_from(key.finish().to_string()).unwrap_or(HeaderValue::from_static(""))
}
