//! The nodes of a configuration, running.

use std::sync::Arc;

use anyhow::Context as _;
use engine::{Caller, Clock, Gauge, Handle, Journal, Tap};
use node::{Bound, Pf, RecordSink, Seat};
use role_core::Core;
use role_participating::Participating;
use store::{Lease, Measured, Role};
use wire::Entropy;

use super::config::{NodePlan, Plan};
use super::copies::Copies;
use super::heart::Heart;
use super::lives::Life;
use super::stored;
use super::traces::{Counts, Traces};
use super::trial::LeftAlone;

/// Every node in an engine of its own; dropping it stops them.
pub(super) struct Running {
    cores: Vec<(String, Handle<Core>)>,
    pfs: Vec<(String, Pf)>,
    /// Of those that keep their entries in the store, in the order of their start.
    leases: Vec<(Lease, LeftAlone)>,
    copies: Option<Copies>,
    /// Behind the nodes, whose last records it takes.
    traces: Option<Traces>,
    /// Behind the nodes, which live until they have ended.
    heart: Option<Heart>,
}

impl Running {
    /// Binds everything, and only then starts anything: a node that cannot have its address stops the others from
    /// answering calls that they could not finish.
    pub(super) fn start(plan: Plan, store: Option<&Arc<Measured>>, heart: Option<Heart>) -> anyhow::Result<Running> {
        let cores = plan.cores.into_iter().map(bind).collect::<anyhow::Result<Vec<_>>>()?;
        let pfs = plan.pfs.into_iter().map(bind).collect::<anyhow::Result<Vec<_>>>()?;
        let copies = Copies::start(plan.hep, plan.capture)?;
        let traces = plan.traces.as_ref().map(Traces::start).transpose()?;
        let mut running = Running { cores: Vec::new(), pfs: Vec::new(), leases: Vec::new(), copies, traces, heart };
        for (core, bound) in cores {
            let journal = store.map(|store| running.begin(store, &core.name, Role::Core)).transpose()?;
            let tap = running.copies.as_ref().and_then(|copies| copies.tap(&core.name, false));
            let handle = core.role.start(bound, seat(core.options, journal, tap))?;
            running.cores.push((core.name, handle));
        }
        for (pf, bound) in pfs {
            let journal = store.filter(|_| plan.stored.contains(&pf.name));
            let journal = journal.map(|store| running.begin(store, &pf.name, Role::Participating)).transpose()?;
            let records =
                store.map(|store| Box::new(stored::Records(Arc::<Measured>::clone(store))) as Box<dyn RecordSink>);
            let traced = running.traces.as_ref().and_then(|traces| traces.sink(&pf.name));
            let tap = running.copies.as_ref().and_then(|copies| copies.tap(&pf.name, true));
            let seat = seat(pf.options, journal, tap);
            let handle = pf.role.start(bound, seat, records.into_iter().chain(traced).collect())?;
            running.pfs.push((pf.name, handle));
        }
        Ok(running)
    }

    fn begin(&mut self, store: &Arc<Measured>, node: &str, role: Role) -> anyhow::Result<Journal> {
        let left_alone = LeftAlone::default();
        let (lease, journal) = stored::begin(store, node, role, &left_alone)?;
        self.heart.iter().for_each(|heart| heart.beat_for(lease.clone()));
        self.leases.push((lease, left_alone));
        Ok(journal)
    }

    /// The lives of the nodes that keep their entries in the store.
    pub(super) fn lives(&self) -> Vec<Life> {
        let pf =
            |lease: &Lease| self.pfs.iter().find(|(name, _)| *name == lease.node).map(|(_, pf)| pf.handle.caller());
        let life = |(lease, left_alone): &(Lease, LeftAlone)| Life {
            lease: lease.clone(),
            left_alone: Arc::clone(left_alone),
            pf: pf(lease),
        };
        self.leases.iter().map(life).collect()
    }

    /// Ways to reach the cores, by name.
    pub(super) fn cores(&self) -> Vec<(String, Caller<Core>)> {
        self.cores.iter().map(|(name, handle)| (name.clone(), handle.caller())).collect()
    }

    /// Ways to reach the participating functions, by name.
    pub(super) fn pfs(&self) -> Vec<(String, Caller<Participating>)> {
        self.pfs.iter().map(|(name, pf)| (name.clone(), pf.handle.caller())).collect()
    }

    /// How many records wait outside the participating functions, by their names.
    pub(super) fn record_gauges(&self) -> Vec<(String, Vec<Gauge>)> {
        self.pfs.iter().map(|(name, pf)| (name.clone(), pf.record_gauges())).collect()
    }

    /// How many entries the nodes leave alone that keep them in the store.
    pub(super) fn left_alone(&self) -> Vec<(String, LeftAlone)> {
        self.leases.iter().map(|(lease, left_alone)| (lease.node.clone(), Arc::clone(left_alone))).collect()
    }

    /// The copies of what passes, if anybody wants any.
    pub(super) fn copies(&self) -> Option<Copies> {
        self.copies.clone()
    }

    /// What has become of spans, if there are any.
    pub(super) fn traces(&self) -> Option<Arc<Counts>> {
        self.traces.as_ref().map(Traces::counts)
    }

    /// Sessions that the participating functions hold.
    pub(super) fn open_sessions(&self) -> usize {
        // An engine that has stopped holds none.
        self.pfs.iter().map(|(_, pf)| pf.handle.call(|pf, _| pf.open_sessions()).unwrap_or(0)).sum()
    }

    /// Tells the participating functions to close their sessions and to take no new ones. The cores go on: the BYEs pass them.
    pub(super) fn shut_down(&self) {
        for (_, pf) in &self.pfs {
            // One that has stopped has nothing to close.
            let _stopped = pf.handle.call(Participating::shut_down);
        }
    }

    /// Whether no session is left that a participating function could close.
    pub(super) fn is_drained(&self) -> bool {
        self.pfs.iter().all(|(_, pf)| pf.handle.call(|pf, _| pf.is_drained()).unwrap_or(true))
    }

    /// Stops all nodes.
    pub(super) fn stop(self) {
        drop((self.cores, self.pfs));
    }
}

fn bind<R>(plan: NodePlan<R>) -> anyhow::Result<(NodePlan<R>, Bound)> {
    let bound =
        Bound::bind(&plan.name, &plan.addresses, plan.tls.clone()).with_context(|| format!("node {}", plan.name))?;
    for listener in bound.listeners() {
        tracing::info!(node = %plan.name, transport = %listener.transport, addr = %listener.addr, "listening");
    }
    for listener in bound.msrp().into_iter().flat_map(|listeners| listeners.iter()) {
        let transport = if listener.is_tls() { "msrps" } else { "msrp" };
        tracing::info!(node = %plan.name, %transport, addr = %listener.addr, "listening");
    }
    Ok((plan, bound))
}

fn seat<N>(options: sip_tx::Options, journal: Option<Journal>, tap: Option<Box<dyn Tap>>) -> Seat<N> {
    let host = engine::Options { clock: Clock::start(), journal, tap, ..engine::Options::default() };
    Seat { options, entropy: Entropy::from_os(), host }
}
