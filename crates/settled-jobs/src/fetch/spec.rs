//! What one job asks for.

use std::path::PathBuf;

use bytes::Bytes;
use http::{HeaderMap, Method};

use super::target::Target;

/// A request, as a job asks for it.
#[derive(Debug)]
pub struct FetchSpec {
    pub(super) target: Target,
    /// What a job has beside its URL. A plain line has nothing.
    pub(super) own: Option<Box<Own>>,
}

/// What a job says itself; the rest is as the run says.
#[derive(Debug, Default)]
pub(super) struct Own {
    pub(super) method: Option<Method>,
    pub(super) headers: HeaderMap,
    pub(super) body: Option<Payload>,
}

/// The body of a request.
#[derive(Clone, Debug)]
pub(super) enum Payload {
    Bytes(Bytes),
    /// Read from the file while it is sent.
    File(PathBuf),
}

impl FetchSpec {
    pub(super) fn new(target: Target) -> Self {
        Self { target, own: None }
    }
}
