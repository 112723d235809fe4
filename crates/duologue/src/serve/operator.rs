//! The nodes of the process, as the admin interface sees them.

use std::sync::Arc;

use admin::{
    Api, AuditEntry, CloseError, Measurement, NodeStatus, Operator, PcapError, Record, Registration, Session,
    SessionQuery, StoreProblem, Token, Unavailable, User, UserEntry,
};
use cpim::DateTime;
use cpm::MediaPath;
use engine::{Caller, Gauge};
use node::RecordLine;
use role_core::Core;
use role_participating::{Participating, SessionView};
use store::{Measured, RecordQuery, Records as _};

use super::audit::AuditLog;
use super::copies::{Copies, Passed};
use super::measure;
use super::nodes::Running;
use super::reload::Reloader;
use super::traces::Counts;
use super::trial::LeftAlone;
use super::users::away;
use crate::logs::Filter;

/// Reaches the nodes from the threads of the admin interface.
pub(super) struct Nodes {
    pub(super) cores: Vec<(String, Caller<Core>)>,
    pub(super) pfs: Vec<(String, Caller<Participating>)>,
    pub(super) copies: Option<Copies>,
    /// Of the records of participating functions, by their names.
    pub(super) records: Vec<(String, Vec<Gauge>)>,
    /// Entries in the store that nodes leave alone, by the names of the nodes.
    pub(super) left_alone: Vec<(String, LeftAlone)>,
    pub(super) store: Option<Arc<Measured>>,
    pub(super) traces: Option<Arc<Counts>>,
    reloader: Reloader,
    audit: AuditLog,
    logs: Filter,
}

impl Nodes {
    pub(super) fn new(running: &Running, reloader: Reloader, store: Option<Arc<Measured>>, logs: Filter) -> Nodes {
        let (audit, records) = (AuditLog::new(store.as_ref()), running.record_gauges());
        let left_alone = running.left_alone();
        let (cores, pfs, copies, traces) = (running.cores(), running.pfs(), running.copies(), running.traces());
        Nodes { cores, pfs, copies, records, left_alone, store, traces, reloader, audit, logs }
    }

    /// Serves the users that are in the store now, beside those of the file.
    pub(super) fn refresh_users(&self) -> Result<(), String> {
        self.reloader.users.read().map_err(|error| error.to_string())?;
        self.reloader.serve_users(self, &self.reloader.current())
    }

    /// Tokens are set there from now on.
    pub(super) fn connect(&self, api: Api, own: Vec<Token>) {
        self.reloader.connect(api, own);
    }

    /// The function that a session's name tells, and the name that the session has there.
    fn holder<'n>(&self, id: &'n str) -> Option<(&str, &Caller<Participating>, &'n str)> {
        // Names of nodes may have dots in them, those of sessions have none.
        let (node, id) = id.rsplit_once('.')?;
        self.pfs.iter().find(|(name, _)| name == node).map(|(name, pf)| (name.as_str(), pf, id))
    }
}

fn session(node: &str, view: &SessionView) -> Session {
    Session {
        // No other of the process is so named.
        id: format!("{node}.{}", view.id),
        node: node.to_owned(),
        served_user: view.served_user.clone(),
        case: view.case.as_str().to_owned(),
        peer: view.peer.clone(),
        conversation_id: view.conversation_id.clone(),
        contribution_id: view.contribution_id.clone(),
        media_path: if view.media_path == MediaPath::On { "on" } else { "off" }.to_owned(),
        started: view.started.map(|at| DateTime::utc(at).to_string()),
    }
}

fn on_the_wire(passed: &Passed) -> lab::Passage<'_> {
    let Passed { at, transport, from, to, message } = passed;
    lab::Passage { at: *at, transport: *transport, from: *from, to: *to, data: message }
}

impl Operator for Nodes {
    fn nodes(&self) -> Vec<NodeStatus> {
        let status = |name: &String, role: &str, ready: Option<bool>| NodeStatus {
            name: name.clone(),
            role: role.to_owned(),
            is_up: ready.is_some(),
            is_ready: ready == Some(true),
        };
        let cores = self.cores.iter().map(|(name, core)| status(name, "core", core.call(|_, _| true).ok()));
        let pfs = self.pfs.iter().map(|(name, pf)| status(name, "pf", pf.call(|pf, _| pf.is_ready()).ok()));
        cores.chain(pfs).collect()
    }

    fn sessions(&self, query: &SessionQuery) -> Result<Vec<Session>, Unavailable> {
        let mut all = Vec::new();
        for (name, pf) in &self.pfs {
            let (user, room) = (query.user.clone(), query.limit - all.len());
            let views = pf.call(move |pf, _| pf.sessions(user.as_deref()).take(room).collect::<Vec<_>>());
            all.extend(views.map_err(|_| Unavailable(name.clone()))?.iter().map(|view| session(name, view)));
        }
        Ok(all)
    }

    fn session(&self, id: &str) -> Result<Option<Session>, Unavailable> {
        let Some((name, pf, id)) = self.holder(id) else { return Ok(None) };
        let id = id.to_owned();
        let view = pf.call(move |pf, _| pf.session(&id)).map_err(|_| Unavailable(name.to_owned()))?;
        Ok(view.map(|view| session(name, &view)))
    }

    fn close(&self, id: &str) -> Result<(), CloseError> {
        let Some((name, pf, id)) = self.holder(id) else { return Err(CloseError::Unknown) };
        let id = id.to_owned();
        let closed = pf.call(move |pf, now| pf.session(&id).map(|view| pf.close_session(view.id, now)));
        match closed.map_err(|_| Unavailable(name.to_owned()))? {
            Some(Ok(())) => Ok(()),
            Some(Err(error @ role_participating::CloseError::OffMediaPath)) => {
                Err(CloseError::Refused(error.to_string()))
            }
            Some(Err(role_participating::CloseError::Unknown)) | None => Err(CloseError::Unknown),
        }
    }

    fn pcap(&self, id: &str) -> Result<Vec<u8>, PcapError> {
        let copies = self.copies.as_ref().filter(|copies| copies.is_keeping()).ok_or(PcapError::NotKept)?;
        let (node, pf, id) = self.holder(id).ok_or(PcapError::Unknown)?;
        let id = id.to_owned();
        let call_ids = pf.call(move |pf, _| pf.session(&id).map(|view| pf.call_ids(view.id)));
        let call_ids = call_ids.map_err(|_| Unavailable(node.to_owned()))?.ok_or(PcapError::Unknown)?;
        let kept = copies.of(node, call_ids);
        if kept.is_empty() {
            return Err(PcapError::Displaced);
        }
        let mut file = Vec::new();
        lab::write_messages(kept.iter().map(on_the_wire), &mut file)
            .map_err(|error| PcapError::Lost(error.to_string()))?;
        Ok(file)
    }

    fn registrations(&self) -> Result<Vec<Registration>, Unavailable> {
        let mut all = Vec::new();
        for (name, core) in &self.cores {
            let views = core.call(|core, now| core.registrations(now)).map_err(|_| Unavailable(name.clone()))?;
            all.extend(views.into_iter().map(|view| Registration {
                node: name.clone(),
                user: view.user,
                contact: view.contact,
                instance: view.instance,
                expires: view.expires.as_secs(),
            }));
        }
        Ok(all)
    }

    fn users(&self) -> Result<Vec<User>, StoreProblem> {
        self.reloader.users.read().map_err(away)?;
        Ok(self.reloader.users.all(&self.reloader.current()))
    }

    fn put_user(&self, user: &str, entry: UserEntry) -> Result<(), StoreProblem> {
        self.reloader.users.put(&self.reloader.current(), user, entry)?;
        self.refresh_users().map_err(StoreProblem::Away)
    }

    fn remove_user(&self, user: &str) -> Result<(), StoreProblem> {
        self.reloader.users.remove(&self.reloader.current(), user)?;
        self.refresh_users().map_err(StoreProblem::Away)
    }

    fn records(&self, user: Option<String>, limit: u32) -> Result<Vec<Record>, StoreProblem> {
        let store = self.store.as_ref().ok_or(StoreProblem::None)?;
        let records = store.records(&RecordQuery { user, limit }).map_err(away)?;
        // As in the file of records.
        let shown = |record| serde_json::from_value(serde_json::to_value(RecordLine::of(record))?);
        let all: Result<_, serde_json::Error> = records.iter().map(shown).collect();
        all.map_err(|error| StoreProblem::Away(format!("a record cannot be shown: {error}")))
    }

    fn audited(&self, entry: AuditEntry) {
        self.audit.add(entry);
    }

    fn audit(&self, limit: u32) -> Result<Vec<AuditEntry>, StoreProblem> {
        self.audit.latest(limit)
    }

    fn measurements(&self) -> Vec<Measurement> {
        measure::all(self)
    }

    fn check(&self, document: &str) -> Result<String, String> {
        let plan = super::read(document).map_err(|error| error.to_string())?;
        Ok(format!("it is right: {}", plan.summary()))
    }

    fn reload(&self) -> Result<String, String> {
        self.reloader.reload(self)
    }

    fn log_filter(&self) -> String {
        self.logs.text()
    }

    fn set_log_filter(&self, filter: &str) -> Result<(), String> {
        self.logs.set(filter).map_err(|error| format!("{error:#}"))
    }
}
