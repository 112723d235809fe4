//! The configuration, read again while the nodes run.

use std::path::PathBuf;
use std::sync::{PoisonError, RwLock};

use admin::{Api, Token};

use super::config::Plan;
use super::operator::Nodes;
use super::users::{self, Users};

/// Applies a changed file as far as that goes while the nodes run: users, their numbers and profiles, and tokens.
pub(super) struct Reloader {
    path: PathBuf,
    /// What the nodes were started with.
    started: Plan,
    /// The file as it was last read.
    current: RwLock<Plan>,
    /// Those in the store.
    pub(super) users: Users,
    /// Where tokens are set, and the one that belongs to this life of the process.
    api: RwLock<Option<(Api, Vec<Token>)>>,
}

impl Reloader {
    pub(super) fn new(path: PathBuf, started: Plan, users: Users) -> Reloader {
        Reloader { path, current: RwLock::new(started.clone()), started, users, api: RwLock::new(None) }
    }

    /// The file as it was last read.
    pub(super) fn current(&self) -> Plan {
        self.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Tokens are set there from now on, `own` beside those of the file.
    pub(super) fn connect(&self, api: Api, own: Vec<Token>) {
        *self.api.write().unwrap_or_else(PoisonError::into_inner) = Some((api, own));
    }

    /// Reads the file and applies what it can; a file that is wrong changes nothing.
    pub(super) fn reload(&self, nodes: &Nodes) -> Result<String, String> {
        // 1. The whole file must be right.
        let plan = super::load(&self.path).map_err(|error| format!("nothing has changed: {error:#}"))?;
        let mut late: Vec<String> = Vec::new();

        // 2. Users, numbers and profiles: of the file and of the store.
        self.serve_users(nodes, &plan)?;
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = plan.clone();

        // 3. Who may use the admin interface.
        if let Some((api, own)) = &*self.api.read().unwrap_or_else(PoisonError::into_inner) {
            api.set_tokens(own.iter().chain(&plan.admin.tokens).cloned().collect());
        }

        // 4. Everything else is told.
        let (was, is) = (&self.started.fixed.0, &plan.fixed.0);
        late.extend(changed(&was.core, &is.core, |core| &core.name).map(|name| format!("core `{name}`")));
        late.extend(changed(&was.pf, &is.pf, |pf| &pf.name).map(|name| format!("pf `{name}`")));
        late.extend((was.admin != is.admin).then(|| "[admin]".to_owned()));
        late.extend((was.store != is.store).then(|| "[store]".to_owned()));
        late.extend((was.hep != is.hep).then(|| "[hep]".to_owned()));
        late.extend((was.capture != is.capture).then(|| "[capture]".to_owned()));
        late.extend((was.traces != is.traces).then(|| "[traces]".to_owned()));
        let applied = "users, numbers, profiles and tokens are those of the file";
        Ok(if late.is_empty() {
            applied.to_owned()
        } else {
            format!("{applied}; a restart is needed for other changes of {}", late.join(", "))
        })
    }

    /// Serves the users of a file that is right, and those of the store. Sessions that are not allowed any more end.
    pub(super) fn serve_users(&self, nodes: &Nodes, plan: &Plan) -> Result<(), String> {
        let stored = self.users.list();
        for (name, core) in &nodes.cores {
            let Some(node) = plan.cores.iter().find(|node| node.name == *name) else { continue };
            let (subscribers, numbers) = (users::subscribers(&node.role, &stored), node.role.numbers.clone());
            if core.call(move |core, _| core.set_subscribers(subscribers, numbers)).is_err() {
                return Err(format!("node {name} does not answer"));
            }
        }
        for (name, pf) in &nodes.pfs {
            let Some(node) = plan.pfs.iter().find(|node| node.name == *name) else { continue };
            let (default, profiles) = (node.role.default_profile.clone(), users::profiles(&node.role, &stored));
            if pf.call(move |pf, now| pf.set_profiles(default, profiles, now)).is_err() {
                return Err(format!("node {name} does not answer"));
            }
        }
        Ok(())
    }
}

/// The names of nodes that are new, gone, or written differently.
fn changed<'a, D: PartialEq>(
    old: &'a [D],
    new: &'a [D],
    name: impl Fn(&D) -> &String + Copy + 'a,
) -> impl Iterator<Item = &'a String> {
    let named = move |all: &'a [D], node: &D| all.iter().find(|other| name(other) == name(node));
    let differs = move |node: &&D| named(old, node) != Some(*node);
    let gone = old.iter().filter(move |node| named(new, node).is_none());
    new.iter().filter(differs).chain(gone).map(name)
}
