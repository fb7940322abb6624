//! What all cores share: the settings, and what was made of them once.

use std::io;
use std::sync::Arc;

use http::header::{ACCEPT, ACCEPT_ENCODING, USER_AGENT};
use http::{HeaderMap, HeaderValue};
use hyper_util::client::proxy::matcher::Matcher;

use super::config::{ConfigError, FetchConfig};
use super::core::FetchCore;
use super::decode::{self, Decoder};
use super::encoding;
use super::spec::{FetchSpec, Payload};
use super::target::{self, Target};
use super::tls::Tls;
use crate::job::{Id, Input, Job, Key, Line};
use crate::record::Failure;
use crate::work::Work;

/// Lists of HTTP requests.
#[derive(Clone, Debug)]
pub struct FetchWork {
    shared: Arc<Shared>,
}

#[derive(Debug)]
pub(super) struct Shared {
    pub(super) config: FetchConfig,
    /// What every request carries.
    pub(super) headers: HeaderMap,
    /// The run asks for compressed answers, so it decodes them.
    pub(super) decodes: bool,
    /// The run's own body.
    pub(super) payload: Option<Payload>,
    pub(super) proxies: Option<Matcher>,
    pub(super) tls: Tls,
    decoder: Decoder,
}

impl FetchWork {
    /// Makes ready what `config` says.
    ///
    /// # Errors
    /// If the base URL, the user agent or the file with certificates can't be used.
    pub fn new(config: FetchConfig) -> Result<Self, ConfigError> {
        let connect = &config.connect;
        let base = config
            .base_url
            .as_deref()
            .map(|base| target::parse(base, None))
            .transpose();
        let base = base.map_err(|failure| ConfigError(format!("base URL: {}", failure.message)))?;
        let proxies = (connect.proxies && !connect.deny_private).then(Matcher::from_env);
        let tls = Tls::new(connect)?;
        let decoder = Decoder {
            base,
            files: !connect.deny_private,
        };
        let decodes = config.compression && !config.headers.contains_key(ACCEPT_ENCODING);
        let headers = defaults(&config, decodes)?;
        let payload = config.body.clone().map(Payload::Bytes);
        Ok(Self {
            shared: Arc::new(Shared {
                config,
                headers,
                decodes,
                payload,
                proxies,
                tls,
                decoder,
            }),
        })
    }

    /// The job of a URL that is on no list.
    ///
    /// # Errors
    /// A permanent failure of kind `url`.
    pub fn job(&self, url: &str, seq: u64) -> Result<Job<FetchSpec>, Failure> {
        let target = Target::parse(url, self.shared.decoder.base.as_ref())?;
        let input = Input::Text(target.shown().into());
        Ok(decode::job(
            seq,
            Id::Line,
            Key::of(url.as_bytes()),
            input,
            FetchSpec::new(target),
        ))
    }
}

fn defaults(config: &FetchConfig, decodes: bool) -> Result<HeaderMap, ConfigError> {
    let mut headers = config.headers.clone();
    let agent = HeaderValue::try_from(&config.user_agent)
        .map_err(|_| ConfigError::new("the user agent has characters that it can't have"))?;
    if !agent.is_empty() {
        headers.entry(USER_AGENT).or_insert(agent);
    }
    headers
        .entry(ACCEPT)
        .or_insert(HeaderValue::from_static("*/*"));
    if decodes {
        headers.insert(
            ACCEPT_ENCODING,
            HeaderValue::from_static(encoding::ACCEPTED),
        );
    }
    Ok(headers)
}

impl Work for FetchWork {
    type Spec = FetchSpec;
    type Core = FetchCore;

    fn decode(&self, line: Line<'_>) -> Result<Job<FetchSpec>, Failure> {
        self.shared.decoder.decode(line)
    }

    fn host<'a>(&self, spec: &'a FetchSpec) -> Option<&'a str> {
        Some(spec.target.host())
    }

    fn core(&self) -> io::Result<FetchCore> {
        Ok(FetchCore::new(Arc::clone(&self.shared)))
    }
}
