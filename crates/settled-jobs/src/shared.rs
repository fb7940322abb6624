//! What all cores of a run share.

use std::sync::Arc;

use settled::AbortSignal;

use crate::control::Control;
use crate::counters::Counters;
use crate::entry::Entry;
use crate::feed::Feed;
use crate::hosts::Hosts;
use crate::options::Options;
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
    /// A try at a host has ended: gives out the job that takes over its place.
    pub(crate) fn leave_host(&self, host: &str) -> Option<Entry<W::Spec>> {
        let hosts = self.hosts.as_ref()?;
        let next = hosts.leave(host)?;
        // Other cores may have stopped pulling jobs because too many waited.
        if hosts.parked() + 1 == self.options.waiting_room(1) {
            self.feed.arrival.notify_waiters();
        }
        Some(next)
    }

    /// Jobs that wait for a place at their host are bounded as those are that wait for a retry.
    pub(crate) fn too_many_parked(&self) -> bool {
        self.hosts
            .as_ref()
            .is_some_and(|hosts| hosts.parked() >= self.options.waiting_room(1))
    }
}
