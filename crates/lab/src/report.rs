//! What came of it, for a machine (the JSON of `duologue lab --json`) and for a person.

use std::net::SocketAddr;

use flow::Record;
use serde::Serialize;

use crate::judge::{Judgement, Part};
use crate::{Finding, Scenario, Violation};

/// The result of a run: one JSON document.
#[derive(Debug, Serialize)]
pub struct Report<'a> {
    /// The flows, in the order played.
    pub flows: Vec<&'a FlowReport>,
}

/// The result of one flow.
#[derive(Clone, Debug, Serialize)]
pub struct FlowReport {
    /// The closing flow that fits best, such as `c.2.3.1-figure-9`.
    pub flow: String,
    /// Whether everything was as the flows say.
    pub conforms: bool,
    /// What was not.
    pub violations: Vec<Violation>,
    /// Messages over MSRP.
    pub messages: Messages,
    /// The MSRP connections: who opened them, and to whom.
    pub msrp: Vec<Connection>,
    /// The nodes and their sockets.
    pub nodes: Vec<NodeReport>,
    /// The arrows from the close on, with the steps of the closing flow.
    pub arrows: Vec<Record>,
    /// The arrows before the close, with the steps of the registrations and of the set-up.
    pub set_up: Vec<Record>,
    /// The parts that the verdict is made of.
    #[serde(skip)]
    pub parts: Parts,
}

/// The parts of a flow, each with its verdict.
#[derive(Clone, Debug)]
pub struct Parts {
    /// What was played.
    pub scenario: Scenario,
    /// User A registers, User B registers.
    pub registrations: [Part; 2],
    /// INVITE to ACK.
    pub set_up: Part,
    /// BYE to its last answer; nothing if it did not come to that.
    pub closing: Option<Part>,
}

/// Messages over MSRP, both directions together.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Messages {
    /// Sent by a client.
    pub sent: u64,
    /// Delivered to the other one.
    pub delivered: u64,
}

/// A connection between two nodes.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Connection {
    /// Who opened it.
    pub from: String,
    /// Who accepted it.
    pub to: String,
    /// `tcp` or `tls`.
    pub transport: String,
}

/// A node and its sockets.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct NodeReport {
    /// Its name.
    pub name: String,
    /// SIP.
    pub sip: SocketAddr,
    /// MSRP; nothing for a core, which messages never pass.
    pub msrp: Option<SocketAddr>,
}

impl FlowReport {
    pub(crate) fn new(
        scenario: Scenario,
        judgement: Judgement,
        findings: Vec<Finding>,
        messages: Messages,
        msrp: Vec<Connection>,
        nodes: Vec<NodeReport>,
    ) -> FlowReport {
        let Judgement { registrations, set_up, closing } = judgement;
        let parts = Parts { scenario, registrations, set_up, closing };
        let violations: Vec<Violation> = parts.violations().chain(findings.into_iter().map(Violation::Lab)).collect();
        FlowReport {
            flow: parts.flow().id.clone(),
            conforms: violations.is_empty() && parts.closing.is_some(),
            violations,
            messages,
            msrp,
            nodes,
            arrows: parts.closing.iter().flat_map(Part::records).collect(),
            set_up: parts.before(),
            parts,
        }
    }
}

impl Parts {
    /// The closing flow that fits best.
    pub fn flow(&self) -> &'static flow::Flow {
        self.closing.as_ref().map_or(self.scenario.flow(), |part| part.flow)
    }

    fn violations(&self) -> impl Iterator<Item = Violation> {
        // Where registration failed nobody was invited; that all of the set-up is missing then is no news.
        let invited = !self.set_up.arrows.is_empty() || self.registrations.iter().all(|part| part.verdict.conforms());
        let parts = self.registrations.iter().chain(invited.then_some(&self.set_up)).chain(&self.closing);
        parts.flat_map(|part| part.verdict.violations.iter().cloned().map(Violation::Flow))
    }

    fn before(&self) -> Vec<Record> {
        let parts = self.registrations.iter().chain([&self.set_up]);
        let mut records: Vec<Record> = parts.flat_map(Part::records).collect();
        records.sort_by_key(|record| record.observed.at_us);
        records
    }
}

impl Part {
    fn records(&self) -> Vec<Record> {
        self.verdict.records(&self.arrows)
    }
}
