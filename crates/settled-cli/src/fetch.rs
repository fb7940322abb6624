//! `settled fetch`: from flags to a plan, and the plan to its end.

use std::env;
use std::fs;
use std::time::Duration;

use serde_json::json;
use settled_jobs::fetch::{FetchConfig, FetchWork, StatusSet};
use settled_jobs::{Key, Plan};

use crate::drive::{Job, drive};
use crate::exit::{Ended, Stop};
use crate::flags::{FetchArgs, FetchKeep, RequestArgs, ShowArgs};
use crate::options::{Defaults, options};
use crate::output;
use crate::show::say;

pub(crate) const TIMEOUT: Duration = Duration::from_secs(30);
pub(crate) const TOTAL_TIMEOUT: Duration = Duration::from_secs(300);

pub(crate) fn main(args: FetchArgs) -> Result<Ended, Stop> {
    let mut config = config(&args)?;
    let defaults = Defaults {
        jobs: 32,
        retries: 3,
        timeout: args.timeout.map_or(Some(TIMEOUT), |limit| limit.0),
        total_timeout: args
            .total_timeout
            .map_or(Some(TOTAL_TIMEOUT), |limit| limit.0),
        budget: Some((0.2, 10.0)),
        per_host: args.per_host,
        per_host_rate: args.per_host_rate,
    };
    let options = options(&args.load, &defaults)?;
    config.connect.idle = options.jobs;
    let plan = plan(&args, &config);
    let source = output::source(&args.input, &args.urls)?;
    // What can be wrong with the settings is found before the ledger is touched.
    FetchWork::new(config.clone()).map_err(Stop::usage)?;
    warn(&config, &args.show);
    let opened = output::open(&args.output, &plan)?;
    config.idempotency_key = args.idempotency_key.then(|| opened.name.clone());
    let work = FetchWork::new(config).map_err(Stop::usage)?;
    drive(Job {
        work,
        options,
        source,
        opened,
        load: &args.load,
        output: &args.output,
        show: &args.show,
    })
}

/// Says what a person should not do without knowing it.
pub(crate) fn warn(config: &FetchConfig, show: &ShowArgs) {
    if config.connect.insecure && !show.quiet {
        say!(
            "settled: --insecure: no certificate is checked; whoever is on the way can read and change everything"
        );
    }
}

fn config(args: &FetchArgs) -> Result<FetchConfig, Stop> {
    let mut config = FetchConfig::default();
    request(&mut config, &args.request)?;
    if let Some(statuses) = &args.ok_status {
        config.ok_status = self::statuses("--ok-status", statuses)?;
    }
    if let Some(statuses) = &args.retry_on {
        config.retry_status = self::statuses("--retry-on", statuses)?;
    }
    config.retry_unsafe = args.retry_unsafe;
    config.max_body = args.max_body.unwrap_or(config.max_body);
    config.connect.timeout = args.connect_timeout.unwrap_or(config.connect.timeout);
    let keeps = |what| args.keep.as_ref().is_none_or(|keep| keep.contains(&what));
    config.keep.body = keeps(FetchKeep::Body);
    config.keep.headers = keeps(FetchKeep::Headers);
    config.keep.inline = usize::try_from(args.output.inline).unwrap_or(usize::MAX);
    config.keep.save_dir = output::save_dir(&args.output)?;
    Ok(config)
}

/// What every request of a command is like.
pub(crate) fn request(config: &mut FetchConfig, args: &RequestArgs) -> Result<(), Stop> {
    if let Some(method) = &args.method {
        let parsed = method.to_ascii_uppercase().parse();
        config.method = Some(parsed.map_err(|_| Stop::usage(format!("-X {method}: no method")))?);
    }
    for header in &args.headers {
        config
            .header(header, false)
            .map_err(|why| Stop::usage(format!("-H: {why}")))?;
    }
    if let Some(path) = &args.header_file {
        let file = |why: &dyn std::fmt::Display| {
            Stop::usage(format!("--header-file {}: {why}", path.display()))
        };
        let text = fs::read_to_string(path).map_err(|error| file(&error))?;
        for (line, number) in text
            .lines()
            .zip(1..)
            .filter(|(line, _)| !line.trim().is_empty())
        {
            config
                .header(line, true)
                .map_err(|why| file(&format!("line {number}: {why}")))?;
        }
    }
    if let Some(name) = &args.bearer_env {
        let token = env::var(name).ok().filter(|token| !token.trim().is_empty());
        let token = token.ok_or_else(|| {
            Stop::usage(format!(
                "--bearer-env {name}: that variable is not set, or empty"
            ))
        })?;
        let header = format!("Authorization: Bearer {}", token.trim());
        config
            .header(&header, true)
            .map_err(|why| Stop::usage(format!("--bearer-env {name}: {why}")))?;
    }
    config.base_url.clone_from(&args.base_url);
    config.body = body(args)?;
    if args.json.is_some() && !config.headers.contains_key("content-type") {
        config
            .header("Content-Type: application/json", false)
            .map_err(Stop::usage)?;
    }
    config.compression = !args.no_compression;
    config.max_redirects = if args.no_redirects {
        None
    } else {
        args.max_redirects.or(config.max_redirects)
    };
    if let Some(agent) = &args.user_agent {
        config.user_agent.clone_from(agent);
    }
    config.connect.ca_file.clone_from(&args.cacert);
    config.connect.insecure = args.insecure;
    config.connect.deny_private = args.deny_private;
    config.connect.proxies = !args.no_proxy;
    Ok(())
}

fn body(args: &RequestArgs) -> Result<Option<bytes::Bytes>, Stop> {
    if let Some(json) = &args.json {
        serde_json::from_str::<serde::de::IgnoredAny>(json)
            .map_err(|why| Stop::usage(format!("--json: {why}")))?;
    }
    let Some(text) = args.data.as_ref().or(args.json.as_ref()) else {
        return Ok(None);
    };
    match text.strip_prefix('@').filter(|_| args.data.is_some()) {
        Some(path) => match fs::read(path) {
            Ok(bytes) => Ok(Some(bytes.into())),
            Err(error) => Err(Stop::usage(format!("-d @{path}: {error}"))),
        },
        None => Ok(Some(text.clone().into_bytes().into())),
    }
}

pub(crate) fn statuses(flag: &str, text: &str) -> Result<StatusSet, Stop> {
    text.parse()
        .map_err(|why| Stop::usage(format!("{flag} {text}: {why}")))
}

/// What these flags mean: everything that decides what an outcome says, and nothing of how fast it comes about.
fn plan(args: &FetchArgs, config: &FetchConfig) -> Plan {
    let mut plan = Plan::new("fetch");
    let default = FetchConfig::default();
    if let Some(method) = &config.method {
        plan.set("method", method.as_str());
    }
    let mut headers: Vec<String> = config
        .headers
        .iter()
        .map(|(name, value)| match value.is_sensitive() {
            // A token may be renewed; what it is for stays.
            true => format!("{name}: (secret)"),
            false => format!("{name}: {}", String::from_utf8_lossy(value.as_bytes())),
        })
        .collect();
    headers.sort_unstable();
    if !headers.is_empty() {
        plan.set("headers", headers);
    }
    if let Some(base) = &config.base_url {
        plan.set("base_url", without_userinfo(base));
    }
    if let Some(body) = &config.body {
        plan.set("body_hash", Key::of(body).to_string());
    }
    if config.ok_status != default.ok_status {
        plan.set("ok_status", config.ok_status.to_string());
    }
    if config.max_redirects != default.max_redirects {
        plan.set("max_redirects", config.max_redirects);
    }
    if config.max_body != default.max_body {
        plan.set("max_body", config.max_body);
    }
    if config.user_agent != default.user_agent {
        plan.set("user_agent", config.user_agent.as_str());
    }
    for (name, is_set) in [
        ("no_compression", !config.compression),
        ("insecure", config.connect.insecure),
        ("deny_private", config.connect.deny_private),
    ] {
        if is_set {
            plan.set(name, true);
        }
    }
    if !(config.keep.body && config.keep.headers) {
        let kept = [("body", config.keep.body), ("headers", config.keep.headers)];
        plan.set(
            "keep",
            kept.into_iter()
                .filter(|(_, kept)| *kept)
                .map(|(name, _)| name)
                .collect::<Vec<_>>(),
        );
    }
    output::plan(&mut plan, &args.input, &args.output);
    plan
}

fn without_userinfo(url: &str) -> serde_json::Value {
    match url
        .split_once("://")
        .and_then(|(scheme, rest)| Some((scheme, rest.split_once('@')?)))
    {
        Some((scheme, (user, rest))) if !user.contains('/') => {
            json!(format!("{scheme}://…@{rest}"))
        }
        _ => json!(url),
    }
}
