//! The configuration, read again while the nodes run.

use std::path::PathBuf;
use std::sync::{PoisonError, RwLock};

use admin::{Api, Token};

use super::config::Plan;
use super::document::Document;
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

        // 2. Users, numbers and profiles: of the file and of the store.
        self.serve_users(nodes, &plan)?;
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = plan.clone();

        // 3. Who may use the admin interface.
        if let Some((api, own)) = &*self.api.read().unwrap_or_else(PoisonError::into_inner) {
            api.set_tokens(own.iter().chain(&plan.admin.tokens).cloned().collect());
        }

        // 4. Everything else is told.
        let late = late(&self.started.fixed.0, &plan.fixed.0);
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

/// What is written differently in a file and waits for a restart.
fn late(was: &Document, is: &Document) -> Vec<String> {
    // Every section is named, so that none that comes later is forgotten.
    let Document { core, pf, admin, store, hep, capture, traces } = is;
    let cores = changed(&was.core, core, |core| &core.name).map(|name| format!("core `{name}`"));
    let pfs = changed(&was.pf, pf, |pf| &pf.name).map(|name| format!("pf `{name}`"));
    let sections = [
        ("[admin]", was.admin != *admin),
        ("[store]", was.store != *store),
        ("[hep]", was.hep != *hep),
        ("[capture]", was.capture != *capture),
        ("[traces]", was.traces != *traces),
    ];
    let sections = sections.into_iter().filter(|(_, differs)| *differs).map(|(section, _)| section.to_owned());
    cores.chain(pfs).chain(sections).collect()
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

#[cfg(test)]
mod tests {
    use super::*;

    fn document(text: &str) -> Document {
        Plan::read(text, &|_| None, &|_| Ok(Vec::new())).unwrap().fixed.0
    }

    #[test]
    fn each_section_that_is_not_applied_is_named() {
        let written = super::super::DEFAULTS;
        let was = document(written);
        assert_eq!(late(&was, &was.clone()), Vec::<String>::new());
        for (name, is) in [
            ("[admin]", written.replacen("metrics = \"127.0.0.1:9091\"", "metrics = \"127.0.0.1:9092\"", 1)),
            ("[store]", written.replacen("duologue.db", "other.db", 1)),
            ("[hep]", format!("{written}\n[hep]\naddress = \"127.0.0.1:9060\"\n")),
            ("[capture]", format!("{written}\n[capture]\noctets = 1048576\n")),
            ("[traces]", format!("{written}\n[traces]\nendpoint = \"http://127.0.0.1:4318/v1/traces\"\n")),
        ] {
            let is = document(&is);
            assert_eq!([late(&was, &is), late(&is, &was)], [[name], [name]], "new, and gone");
        }
    }
}
