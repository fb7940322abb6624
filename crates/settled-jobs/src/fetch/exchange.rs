//! One try of one job: a request and its answer, and again where a redirect leads.

use http::header::ACCEPT_ENCODING;
use http::response::Parts;
use http::{Response, StatusCode};
use hyper::body::Incoming;

use super::body;
use super::conn::SendError;
use super::core::{Failed, FetchCore, Phase, Progress};
use super::hop::Hop;
use super::judge::{self, idempotent};
use super::pool::Lease;
use super::spec::FetchSpec;
use crate::job::Job;
use crate::keep::{Keep, Kept};
use crate::record::{ErrorKind, Failure, FetchResult};

/// The body of a redirect up to this size is read, so that the connection can be used again.
const DRAIN: u64 = 16 << 10;

pub(super) struct Exchange<'a> {
    pub(super) core: &'a FetchCore,
    pub(super) job: &'a Job<FetchSpec>,
    pub(super) progress: &'a Progress,
}

impl Exchange<'_> {
    pub(super) async fn run(&self) -> Result<Box<FetchResult>, Failed> {
        let max = self.core.shared.config.max_redirects;
        let mut hop = Hop::first(self.job, &self.core.shared);
        loop {
            let (lease, answer) = self.ask(&hop).await?;
            self.progress.phase.set(Phase::Body);
            match max {
                Some(max) if is_redirect(answer.status()) => {
                    let status = Some(answer.status().as_u16());
                    hop = hop
                        .follow(answer.status(), answer.headers(), max)
                        .map_err(|failure| Failure { status, ..failure })?;
                    Box::pin(self.drain(lease, answer)).await;
                }
                _ => return self.settle(&hop, lease, answer).await,
            }
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
                None => hop.request(self.job, &self.core.shared, &origin)?,
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
        let config = &self.core.shared.config;
        let (head, body) = answer.into_parts();
        let mut keep = self.keep();
        let (decode, max) = (self.decodes(), config.max_body);
        let read = body::read(lease.conn(), body, &head.headers, decode, max, &mut keep).await;
        let bytes = keep.total();
        let saved = match read {
            Ok(()) => {
                lease.end().await;
                keep.finish().map_err(body::not_saved)
            }
            Err(failure) => Err(failure),
        };
        self.verdict(hop, head, bytes, saved)
    }

    /// Where the body goes.
    fn keep(&self) -> Keep {
        let keep = &self.core.shared.config.keep;
        match keep.body {
            true => Keep::new(keep.inline, keep.save_dir.clone(), || {
                format!("{}.body", self.job.seq)
            }),
            false => Keep::new(0, None, String::new),
        }
    }

    /// Whether it was us who asked for a compressed body, and not the job, which then wants it as it comes.
    fn decodes(&self) -> bool {
        let own = self.job.spec.own.as_ref();
        self.core.shared.decodes && own.is_none_or(|own| !own.headers.contains_key(ACCEPT_ENCODING))
    }

    fn verdict(
        &self,
        hop: &Hop<'_>,
        head: Parts,
        bytes: u64,
        saved: Result<Kept, Failure>,
    ) -> Result<Box<FetchResult>, Failed> {
        let config = &self.core.shared.config;
        let status = head.status.as_u16();
        let (body, lost) = match saved {
            Ok(kept) => (config.keep.body.then_some(kept), None),
            Err(failure) => (
                None,
                Some(Failure {
                    status: Some(status),
                    ..failure
                }),
            ),
        };
        // A status that is not accepted says more than what became of its body.
        let failure = match config.ok_status.contains(status) {
            true => lost,
            false => Some(judge::status(head.status, &head.headers, config)),
        };
        let headers = config.keep.headers.then_some(head.headers);
        let url = (hop.redirects > 0).then(|| hop.target.shown());
        let result = Box::new(FetchResult {
            status,
            headers,
            body,
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
