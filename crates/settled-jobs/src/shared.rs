//! What all cores of a run share.

use std::sync::Arc;

use settled::AbortSignal;

use crate::control::Control;
use crate::counters::Counters;
use crate::feed::Feed;
use crate::hosts::{Enter, Hosts};
use crate::options::Options;
use crate::room::WAITING_BYTES;
use crate::sink::Sink;
use crate::work::Work;
use crate::writer::Writer;

#[derive(Debug)]
pub(crate) struct Shared<W: Work> {
    pub(crate) work: Arc<W>,
    pub(crate) options: Options,
    pub(crate) cores: usize,
    pub(crate) control: Arc<Control>,
    pub(crate) stopped: AbortSignal,
    pub(crate) aborted: AbortSignal,
    pub(crate) feed: Feed<W::Spec>,
    pub(crate) hosts: Option<Hosts<W::Spec>>,
    pub(crate) sink: Arc<Sink>,
    /// Where writing may have to wait: another thread does it.
    pub(crate) writer: Option<Arc<Writer>>,
    pub(crate) counters: Vec<Counters>,
}

impl<W: Work> Shared<W> {
    pub(crate) fn new(
        work: Arc<W>,
        options: Options,
        sink: Arc<Sink>,
        writer: Option<Writer>,
    ) -> Self {
        let cores = options.threads.clamp(1, options.jobs.max(1));
        let control = Arc::new(Control::new(options.halt));
        Self {
            work,
            hosts: Hosts::new(
                options.per_host,
                options.per_host_rate,
                options.waiting_room(1),
                WAITING_BYTES,
            ),
            feed: Feed::new(options.jobs),
            options,
            cores,
            stopped: control.stopped(),
            aborted: control.aborted(),
            control,
            sink,
            writer: writer.map(Arc::new),
            counters: (0..cores).map(|_| Counters::default()).collect(),
        }
    }

    /// A try at a host has ended: gives out the job that takes over its place.
    pub(crate) fn leave_host(&self, host: &str) -> Option<Enter<W::Spec>> {
        let left = self.hosts.as_ref()?.leave(host)?;
        // Other cores may have stopped pulling jobs because too many waited.
        if left.has_room_again {
            self.feed.arrival.notify_waiters();
        }
        Some(left.next)
    }

    /// Jobs that wait for a place at their host are bounded as those are that wait for a retry.
    pub(crate) fn too_many_parked(&self) -> bool {
        self.hosts.as_ref().is_some_and(Hosts::is_full)
    }
}
