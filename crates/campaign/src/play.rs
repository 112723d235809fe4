use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use flow::CloseBy;
use role_client::{Client, SessionId};
use scenarios::{Setup, Sink, Site, System};
use sim::{Link, NodeId, addr};

use crate::check::{self, Posted};
use crate::plan::Trouble;
use crate::stranger::{Stranger, last_invite};
use crate::{Kind, Plan, What};

/// Longer than Timer C, Timer B behind it, and a tombstone.
const EVERYTHING_IS_OVER: Duration = Duration::from_secs(181 + 3 * 32 + 40);

/// After this long a close has reached the other end, whatever was lost on the way: Timer F of two hops.
const CLOSED: Duration = Duration::from_secs(70);

/// When a function off the media path may miss a BYE: longer than any session here lives, shorter than what we wait in the
/// end. Otherwise it forgets none.
const SILENT_SESSION: Duration = Duration::from_secs(300);
const NEVER: Duration = Duration::from_secs(1_000_000);

/// What a run consisted of.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Tally {
    /// Sessions that a client was told are up, of both clients.
    pub sessions: u64,
    /// Messages that a client took from its user.
    pub messages: u64,
    /// Faults that struck, by kind; what the network does all along counts once a run.
    pub strikes: BTreeMap<Kind, u64>,
    /// Virtual time.
    pub time: Duration,
}

/// Runs a plan to its end. The system is left in `stage`, for whoever wants to look at it.
///
/// # Panics
/// When something does not hold that must.
pub fn play(plan: &Plan, stage: &mut Option<System>) -> Tally {
    let mut setup = Setup { fault: plan.broken, ..Setup::new(plan.seed, plan.topology) };
    let silent_session = if check::may_miss_a_bye(plan) { SILENT_SESSION } else { NEVER };
    (setup.pf_a.silent_session, setup.pf_b.silent_session) = (silent_session, silent_session);
    let setup = if plan.durable { setup.durable() } else { setup };
    let mut system = setup.build();
    let stranger = addr("10.0.9.9:5060");
    let stranger = system.net.add("stranger", &[stranger], Stranger::new(stranger));
    system.register();
    system.settle();
    system.net.set_link(plan.link);
    let system = stage.insert(system);
    let mut player = Player {
        plan,
        system,
        stranger,
        away: BTreeSet::new(),
        posted: Vec::new(),
        closed: None,
        struck: BTreeMap::new(),
    };
    player.run();
    player.finish();
    Tally { time: player.system.net.now() - wire::Instant::ZERO, ..player.tally() }
}

struct Player<'a> {
    plan: &'a Plan,
    system: &'a mut System,
    stranger: NodeId<Stranger>,
    /// Nodes that are down or stalled: their users wait.
    away: BTreeSet<Site>,
    posted: Vec<Posted>,
    /// How many sessions the users have closed, once they did.
    closed: Option<usize>,
    struck: BTreeMap<Kind, u64>,
}

/// What begins or ends.
#[derive(Clone, Copy)]
enum Deed {
    Begin(What),
    End(What),
}

impl Player<'_> {
    fn run(&mut self) {
        let mut deeds: Vec<(Duration, Deed)> = Vec::new();
        for event in &self.plan.events {
            deeds.push((event.at, Deed::Begin(event.what)));
            if !event.what.lasts().is_zero() {
                deeds.push((event.at + event.what.lasts(), Deed::End(event.what)));
            }
        }
        deeds.sort_by_key(|(at, _)| *at);
        let start = self.system.net.now();
        for (at, deed) in deeds {
            let up = self.up();
            self.system.run_for((start + at) - self.system.net.now());
            self.nobody_interfered(&up);
            match deed {
                Deed::Begin(what) => {
                    let has_struck = self.begin(what);
                    if let Some(kind) = what.kind().filter(|_| has_struck) {
                        *self.struck.entry(kind).or_default() += 1;
                    }
                }
                Deed::End(what) => self.end(what),
            }
            self.system.listen();
        }
    }

    /// Returns whether there was anything to do it to.
    fn begin(&mut self, what: What) -> bool {
        let node = |system: &System, site| system.node(site);
        let system = &mut *self.system;
        match what {
            What::Call if self.away.contains(&Site::ClientA) => return false,
            What::Call => drop(system.call()),
            What::Send(site, octets) => self.send(site, octets),
            What::Close(by) => self.close(by),
            What::Partition(a, b, _) => system.net.partition(node(system, a), node(system, b)),
            What::OneWay(a, b, _) => system.net.block(node(system, a), node(system, b)),
            What::Crash(site, _) if !system.net.is_up(node(system, site)) => return false,
            What::Crash(site, _) => {
                system.crash(site);
                self.away.insert(site);
            }
            What::Stall(site, _) if !self.away.insert(site) => return false,
            What::Stall(site, _) => system.net.pause(node(system, site)),
            What::Clock(site, seconds) => system.net.step_wall_clock(node(system, site), seconds),
            What::Break(a, b) => return system.net.break_connections(node(system, a), node(system, b)) > 0,
            What::BlackHole(a, b) => return system.net.black_hole_connections(node(system, a), node(system, b)) > 0,
            What::Delay(n, extra) => {
                system.net.delay_next_matching(|packet| !packet.label.is_empty(), n, extra);
            }
            What::Forge(site, forgery) => {
                let Some(invite) = last_invite(&system.net, site) else { return false };
                system.net.node_mut(self.stranger, |stranger, _| stranger.forge(forgery, site, &invite));
            }
            // What has no disk has no trouble with it; what is down finds its disk in order when it comes back.
            What::Disk(site, ..) if !self.plan.durable || !system.net.is_up(node(system, site)) => return false,
            What::Disk(site, Trouble::Dead, _) => system.net.disk_mut(node(system, site)).set_dead(true),
            What::Disk(site, Trouble::Unsynced(n), _) => system.net.disk_mut(node(system, site)).fail_syncs(n),
            What::Store(sink, _) => system.sink = sink,
        }
        true
    }

    fn end(&mut self, what: What) {
        let system = &mut *self.system;
        match what {
            What::Partition(a, b, _) | What::OneWay(a, b, _) => {
                system.net.heal_between(system.node(a), system.node(b));
            }
            What::Crash(site, _) if !system.net.is_up(system.node(site)) => {
                self.repair_disk(site);
                let system = &mut *self.system;
                system.restart(site);
                self.away.remove(&site);
                match site {
                    Site::ClientA => system.net.node_mut(system.client_a, Client::register),
                    Site::ClientB => system.net.node_mut(system.client_b, Client::register),
                    Site::CoreA | Site::PfA | Site::CoreB | Site::PfB => {}
                }
            }
            What::Stall(site, _) if system.net.is_up(system.node(site)) => {
                self.away.remove(&site);
                system.net.resume(system.node(site));
            }
            What::Disk(site, ..) => self.repair_disk(site),
            What::Store(..) => system.sink = Sink::Up,
            What::Crash(..)
            | What::Stall(..)
            | What::Call
            | What::Send(..)
            | What::Close(_)
            | What::Clock(..)
            | What::Break(..)
            | What::BlackHole(..)
            | What::Delay(..)
            | What::Forge(..) => {}
        }
    }

    fn repair_disk(&mut self, site: Site) {
        if self.plan.durable && matches!(site, Site::PfA | Site::PfB) {
            let node = self.system.node(site);
            let disk = self.system.net.disk_mut(node);
            disk.set_dead(false);
            disk.fail_syncs(0);
        }
    }

    fn send(&mut self, from: Site, octets: usize) {
        if self.away.contains(&from) {
            return;
        }
        let client = if from == Site::ClientA { self.system.client_a } else { self.system.client_b };
        for session in self.system.live(from.name()) {
            let text = format!("{} {}", self.posted.len(), "x".repeat(octets));
            let id = self.system.net.node_mut(client, |c, now| c.send(session, &text, now));
            self.posted.extend(id.map(|id| Posted { from, id, text }));
        }
    }

    fn close(&mut self, by: CloseBy) {
        let mut closed = 0;
        for (site, closes) in [(Site::ClientA, by != CloseBy::B), (Site::ClientB, by != CloseBy::A)] {
            if closes && !self.away.contains(&site) {
                closed += self.system.close_all_of(site.name());
            }
        }
        self.closed = Some(self.closed.unwrap_or_default() + closed);
    }

    /// Lets everything end, then looks at what is left and at what was said.
    fn finish(&mut self) {
        self.system.run_for(CLOSED);
        // Of several sessions, one may have been closed by nobody.
        let is_one = self.plan.events.iter().filter(|event| event.what == What::Call).count() == 1;
        if self.closed.is_some_and(|closed| closed > 0) && is_one && check::is_gentle(self.plan) {
            let live = [self.system.live("client-a"), self.system.live("client-b")];
            assert_eq!(live, [[], []], "I1: an end was not told of the close");
        }
        self.close(CloseBy::Both);
        self.system.run_for(CLOSED);
        self.system.net.set_link(Link::default());
        self.system.run_for(EVERYTHING_IS_OVER);
        // A registration may be being refreshed at any moment.
        self.system.settle();
        check::all(self.plan, self.system, &self.posted);
    }

    fn up(&self) -> [Vec<SessionId>; 2] {
        ["client-a", "client-b"].map(|name| self.system.up(name))
    }

    /// I5: where nothing fails, a session that is up stays up until its users close it, whatever strangers send and clocks
    /// show. One whose ACK was lost again and again is ended by whoever waits for it (RFC 3261 §13.3.1.4), and one that a
    /// function cannot write down never comes up at Client A.
    fn nobody_interfered(&self, before: &[Vec<SessionId>; 2]) {
        if self.closed.is_none() && !self.plan.fails() {
            let now = self.up();
            let ended = |i: usize| before[i].iter().filter(|session| !now[i].contains(session)).count();
            let net = &self.system.net;
            let unkept: u64 = [self.system.pf_a, self.system.pf_b].map(|pf| net[pf].get().kept().refused).iter().sum();
            let stays = ended(0) == 0 && ended(1) as u64 <= unkept;
            let excused = self.plan.link.loss > 0.0 && check::an_ack_never_came(&self.system.net);
            assert!(stays || excused, "I5: a session ended that nobody closed: {before:?}, then {now:?}");
        }
    }

    fn strikes(&self) -> BTreeMap<Kind, u64> {
        let Link { loss, duplicate, jitter, .. } = self.plan.link;
        let all_along =
            [(Kind::Loss, loss > 0.0), (Kind::Duplicate, duplicate > 0.0), (Kind::Reorder, !jitter.is_zero())];
        let mut struck = self.struck.clone();
        struck.extend(all_along.into_iter().filter(|(_, is_so)| *is_so).map(|(kind, _)| (kind, 1)));
        struck
    }

    fn tally(&self) -> Tally {
        let is_up = |event: &role_client::Event| matches!(event, role_client::Event::Established { .. });
        Tally {
            sessions: self.system.told.iter().filter(|(_, event)| is_up(event)).count() as u64,
            messages: self.posted.len() as u64,
            strikes: self.strikes(),
            time: Duration::ZERO,
        }
    }
}
