//! One try of one job: a request and its answer, and again where a redirect leads.

use std::borrow::Cow;

use http::header::{
    AUTHORIZATION, CONTENT_ENCODING, CONTENT_LANGUAGE, CONTENT_LOCATION, CONTENT_TYPE, HOST,
    HeaderName,
};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Uri};
use hyper::body::Incoming;

use super::body;
use super::conn::SendError;
use super::core::{Failed, FetchCore, Phase, Progress};
use super::judge::{self, idempotent};
use super::origin::Origin;
use super::payload::Sending;
use super::pool::Lease;
use super::spec::{FetchSpec, Own, Payload};
use super::target::Target;
use crate::job::{Id, Job};
use crate::keep::Keep;
use crate::record::{ErrorKind, Failure, FetchResult};

/// The body of a redirect up to this size is read, so that the connection can be used again.
const DRAIN: u64 = 16 << 10;
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// What goes with a body, and is left out where a redirect leaves the body out.
const ABOUT_BODY: [HeaderName; 4] = [
    CONTENT_TYPE,
    CONTENT_ENCODING,
    CONTENT_LANGUAGE,
    CONTENT_LOCATION,
];

pub(super) struct Exchange<'a> {
    pub(super) core: &'a FetchCore,
    pub(super) job: &'a Job<FetchSpec>,
    pub(super) progress: &'a Progress,
}

/// One request of the chain that redirects make.
struct Hop<'a> {
    target: Cow<'a, Target>,
    method: Method,
    payload: Option<&'a Payload>,
    /// It has left the first origin at some time: secrets stay behind, also if it comes back.
    strayed: bool,
    redirects: u32,
}

impl Exchange<'_> {
    pub(super) async fn run(&self) -> Result<Box<FetchResult>, Failed> {
        let max = self.core.shared.config.max_redirects;
        let mut hop = self.first();
        loop {
            let (lease, answer) = self.ask(&hop).await?;
            self.progress.phase.set(Phase::Body);
            match max {
                Some(max) if is_redirect(answer.status()) => {
                    let status = Some(answer.status().as_u16());
                    hop = self
                        .follow(hop, &answer, max)
                        .map_err(|failure| Failure { status, ..failure })?;
                    Box::pin(self.drain(lease, answer)).await;
                }
                _ => return self.settle(&hop, lease, answer).await,
            }
        }
    }

    fn own(&self) -> Option<&Own> {
        self.job.spec.own.as_deref()
    }

    fn first(&self) -> Hop<'_> {
        let shared = &self.core.shared;
        let payload = self
            .own()
            .and_then(|own| own.body.as_ref())
            .or(shared.payload.as_ref());
        let method = self
            .own()
            .and_then(|own| own.method.as_ref())
            .or(shared.config.method.as_ref());
        let method = method.cloned().unwrap_or(if payload.is_some() {
            Method::POST
        } else {
            Method::GET
        });
        Hop {
            target: Cow::Borrowed(&self.job.spec.target),
            method,
            payload,
            strayed: false,
            redirects: 0,
        }
    }

    /// Sends the request of `hop` and waits for the head of its answer.
    ///
    /// A kept connection may have been closed by the server just now. Then the request goes out again on another one: always if it
    /// never left, and once more if it may have left but can do no harm twice. That is no new try: the server was there all along.
    async fn ask(&self, hop: &Hop<'_>) -> Result<(Lease<'_>, Response<Incoming>), Failure> {
        let origin = self.core.origin(&hop.target);
        let processed = self.progress.processed.get();
        let (mut again, mut fresh) = (None, false);
        loop {
            let request = match again.take() {
                Some(request) => request,
                None => self.request(hop, &origin)?,
            };
            let mut lease = self.core.lease(&origin, fresh, self.progress).await?;
            let used = lease.conn().used;
            self.progress.phase.set(Phase::Answer);
            self.progress
                .processed
                .set(processed || !idempotent(&hop.method));
            let error = match lease.conn().send(request).await {
                Ok(answer) => {
                    if judge::says_unprocessed(answer.status()) {
                        self.progress.processed.set(processed);
                    }
                    return Ok((lease, answer));
                }
                Err(error) => error,
            };
            match error {
                SendError::Unsent(request) => {
                    self.progress.processed.set(processed);
                    if !used {
                        let message =
                            format!("{} closed the connection at once", hop.target.host());
                        return Err(Failure::transient(ErrorKind::Reset, message));
                    }
                    again = Some(*request);
                }
                SendError::Broken(error)
                    if used && !fresh && idempotent(&hop.method) && judge::is_cut(&error) =>
                {
                    fresh = true
                }
                SendError::Broken(error) => {
                    return Err(judge::no_answer(&error, hop.target.host()));
                }
            }
        }
    }

    fn request(&self, hop: &Hop<'_>, origin: &Origin) -> Result<Request<Sending>, Failure> {
        let mut request = Request::new(Sending::new(hop.payload)?);
        *request.method_mut() = hop.method.clone();
        *request.uri_mut() = if origin.absolute() {
            hop.target.uri().clone()
        } else {
            Uri::from(hop.target.path())
        };
        let mut headers = origin.headers.clone();
        if let Some(auth) = &hop.target.auth {
            headers.insert(AUTHORIZATION, HeaderValue::clone(auth));
        }
        if let Some(own) = self.own() {
            for name in own.headers.keys() {
                headers.remove(name);
            }
            for (name, value) in &own.headers {
                headers.append(name, value.clone());
            }
        }
        if let Some(seed) = &self.core.shared.config.idempotency_key {
            headers.insert(IDEMPOTENCY_KEY, idempotency_key(seed, self.job));
        }
        if hop.redirects > 0 {
            redirected(&mut headers, hop);
        }
        *request.headers_mut() = headers;
        Ok(request)
    }

    /// The hop that a redirect leads to.
    fn follow<'a>(
        &self,
        hop: Hop<'a>,
        answer: &Response<Incoming>,
        max: u32,
    ) -> Result<Hop<'a>, Failure> {
        if hop.redirects >= max {
            return Err(Failure::permanent(
                ErrorKind::Redirect,
                format!("more than {max} redirects"),
            ));
        }
        let target = hop.target.redirect(answer.headers())?;
        // As browsers do: a POST that is sent elsewhere by 301 or 302 becomes a GET, as does everything by 303.
        let get = match answer.status() {
            StatusCode::MOVED_PERMANENTLY | StatusCode::FOUND => hop.method == Method::POST,
            StatusCode::SEE_OTHER => hop.method != Method::HEAD,
            _ => false,
        };
        let (method, payload) = if get {
            (Method::GET, None)
        } else {
            (hop.method, hop.payload)
        };
        let strayed = hop.strayed || !target.same_origin(&hop.target);
        Ok(Hop {
            target: Cow::Owned(target),
            method,
            payload,
            strayed,
            redirects: hop.redirects + 1,
        })
    }

    /// Reads the body of an answer that nobody wants, if it is small; else the connection is closed.
    async fn drain(&self, mut lease: Lease<'_>, answer: Response<Incoming>) {
        let (head, body) = answer.into_parts();
        let mut nothing = Keep::new(0, None, String::new);
        if body::read(
            lease.conn(),
            body,
            &head.headers,
            false,
            DRAIN,
            &mut nothing,
        )
        .await
        .is_ok()
        {
            lease.end().await;
        }
    }

    /// Reads the answer to its end and judges it.
    async fn settle(
        &self,
        hop: &Hop<'_>,
        mut lease: Lease<'_>,
        answer: Response<Incoming>,
    ) -> Result<Box<FetchResult>, Failed> {
        let shared = &self.core.shared;
        let config = &shared.config;
        let (head, body) = answer.into_parts();
        let mut keep = match config.keep.body {
            true => Keep::new(config.keep.inline, config.keep.save_dir.clone(), || {
                format!("{}.body", self.job.seq)
            }),
            false => Keep::new(0, None, String::new),
        };
        let decode = shared.decodes
            && self
                .own()
                .is_none_or(|own| !own.headers.contains_key(http::header::ACCEPT_ENCODING));
        let read = body::read(
            lease.conn(),
            body,
            &head.headers,
            decode,
            config.max_body,
            &mut keep,
        )
        .await;
        let status = head.status.as_u16();
        let accepted = config.ok_status.contains(status);
        let mut failure = (!accepted).then(|| judge::status(head.status, &head.headers, config));
        let bytes = keep.total();
        let mut kept = None;
        match read {
            Ok(()) => {
                lease.end().await;
                let finished = keep.finish();
                match finished {
                    Ok(whole) => kept = config.keep.body.then_some(whole),
                    Err(error) => {
                        failure = Some(Failure::permanent(
                            ErrorKind::Io,
                            format!("the body could not be saved: {error}"),
                        ))
                    }
                }
            }
            // The status says more than what became of its body.
            Err(cut) => {
                failure = failure.or(Some(Failure {
                    status: Some(status),
                    ..cut
                }))
            }
        }
        let url = (hop.redirects > 0).then(|| hop.target.shown());
        let headers = config.keep.headers.then_some(head.headers);
        let result = Box::new(FetchResult {
            status,
            headers,
            body: kept,
            bytes,
            url,
        });
        match failure {
            None => Ok(result),
            Some(failure) => Err(Failed {
                result: Some(result),
                failure,
            }),
        }
    }
}

fn is_redirect(status: StatusCode) -> bool {
    matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308)
}

/// Takes out of the headers what a redirect must not carry on.
fn redirected(headers: &mut HeaderMap, hop: &Hop<'_>) {
    if hop.payload.is_none() {
        for name in ABOUT_BODY {
            headers.remove(name);
        }
    }
    if hop.strayed {
        let secrets: Vec<_> = headers
            .iter()
            .filter(|(_, value)| value.is_sensitive())
            .map(|(name, _)| name.clone())
            .collect();
        for name in secrets {
            headers.remove(name);
        }
        if let Ok(host) = HeaderValue::from_str(hop.target.authority()) {
            headers.insert(HOST, host);
        }
    }
}

/// Stable for a job and a ledger, whatever else changes.
fn idempotency_key(seed: &str, job: &Job<FetchSpec>) -> HeaderValue {
    let mut key = crate::job::KeyHasher::new();
    key.part(seed.as_bytes());
    match &job.id {
        Id::Line => key.part(job.seq.to_string().as_bytes()),
        Id::Own(id) => key.part(id.as_bytes()),
    }
    key.part(&job.key.0);
    HeaderValue::try_from(key.finish().to_string()).unwrap_or(HeaderValue::from_static(""))
}
