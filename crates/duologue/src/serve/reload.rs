//! The configuration, read again while the nodes run.

use std::path::PathBuf;
use std::sync::{PoisonError, RwLock};

use admin::{Api, Token};
use node::{CorePlan, PfPlan};

use super::config::{NodePlan, Plan};
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
        late.extend(changed(&self.started.cores, &plan.cores, fixed_core).map(|name| format!("core `{name}`")));
        late.extend(changed(&self.started.pfs, &plan.pfs, fixed_pf).map(|name| format!("pf `{name}`")));
        let (was, is) = (&self.started.admin, &plan.admin);
        if (was.listen, was.metrics, &was.token_file) != (is.listen, is.metrics, &is.token_file) {
            late.push("[admin]".to_owned());
        }
        if self.started.store != plan.store || self.started.stored != plan.stored {
            late.push("the store".to_owned());
        }
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

/// The names of nodes that are new, gone, or differ in what stays as it is while they run.
fn changed<'a, R>(
    old: &'a [NodePlan<R>],
    new: &'a [NodePlan<R>],
    fixed: impl Fn(&NodePlan<R>) -> String + Copy + 'a,
) -> impl Iterator<Item = &'a str> {
    let find = move |all: &'a [NodePlan<R>], name: &str| all.iter().find(|node| node.name == name).map(fixed);
    let differs = move |node: &&NodePlan<R>| find(old, &node.name) != find(new, &node.name);
    let gone = old.iter().filter(move |node| !new.iter().any(|other| other.name == node.name));
    new.iter().filter(differs).chain(gone).map(|node| node.name.as_str())
}

/// All of a node but what is applied, comparable.
fn fixed_core(node: &NodePlan<CorePlan>) -> String {
    let role = CorePlan { subscribers: Default::default(), numbers: Default::default(), ..node.role.clone() };
    format!("{:?}", NodePlan { role, ..node.clone() })
}

fn fixed_pf(node: &NodePlan<PfPlan>) -> String {
    let role = PfPlan { default_profile: Default::default(), profiles: Default::default(), ..node.role.clone() };
    format!("{:?}", NodePlan { role, ..node.clone() })
}
