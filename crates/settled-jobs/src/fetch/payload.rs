//! The body of a request, as HTTP takes it.

use std::fs::File;
use std::io::{self, Read};
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use super::spec::Payload;
use crate::record::{ErrorKind, Failure};

const CHUNK: usize = 64 << 10;

/// A body on its way out. A file is read in pieces while it is sent; that blocks the core no longer than a local disk takes.
#[derive(Debug)]
pub(super) enum Sending {
    Empty,
    Bytes(Bytes),
    File { file: File, left: u64 },
}

impl Sending {
    pub(super) fn new(payload: Option<&Payload>) -> Result<Self, Failure> {
        match payload {
            None => Ok(Self::Empty),
            Some(Payload::Bytes(bytes)) => Ok(Self::Bytes(bytes.clone())),
            Some(Payload::File(path)) => {
                let fault = |error: io::Error| {
                    Failure::permanent(
                        ErrorKind::Io,
                        format!("body_file {}: {error}", path.display()),
                    )
                };
                let file = File::open(path).map_err(fault)?;
                let about = file.metadata().map_err(fault)?;
                if !about.is_file() {
                    return Err(fault(io::Error::other("no regular file")));
                }
                Ok(Self::File {
                    file,
                    left: about.len(),
                })
            }
        }
    }
}

impl Body for Sending {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let this = self.get_mut();
        Poll::Ready(match this {
            Self::Empty | Self::File { left: 0, .. } => None,
            Self::Bytes(bytes) => {
                let bytes = std::mem::take(bytes);
                *this = Self::Empty;
                (!bytes.is_empty()).then(|| Ok(Frame::data(bytes)))
            }
            Self::File { file, left } => {
                let mut chunk = vec![0; CHUNK.min(usize::try_from(*left).unwrap_or(CHUNK))];
                Some(file.read_exact(&mut chunk).map(|()| {
                    *left -= chunk.len() as u64;
                    Frame::data(chunk.into())
                }))
            }
        })
    }

    fn is_end_stream(&self) -> bool {
        self.size_hint().exact() == Some(0)
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(match self {
            Self::Empty => 0,
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::File { left, .. } => *left,
        })
    }
}
