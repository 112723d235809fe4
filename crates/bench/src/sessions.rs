//! W6: sessions that are held, by server.

use std::fmt::Write as _;
use std::time::Duration;

use anyhow::{Context as _, Result};
use serde_json::{Value, json as value};

use crate::load::{Held, Load, Options, Pace, Work};
use crate::servers::{Running, Server, Setting};

/// Who holds sessions.
const HOLDERS: [(&str, Server, Setting); 5] = [
    ("duologue, off the media path", Server::Duologue, Setting::OffPath),
    ("duologue, on the media path", Server::Duologue, Setting::OnPath),
    ("kamailio with dialog", Server::Kamailio, Setting::Dialogs),
    ("opensips with dialog", Server::OpenSips, Setting::Dialogs),
    ("opensips b2b", Server::OpenSips, Setting::OnPath),
];

/// What each of them needs.
pub struct Sessions {
    found: Vec<(&'static str, Vec<Held>)>,
    settle: Duration,
}

/// Has every server hold each number of sessions. `settle` is the time until the transactions of the set-up are over.
pub fn hold(levels: &[usize], settle: Duration, peers: &[Server]) -> Result<Sessions> {
    let mut found = Vec::new();
    for (name, server, setting) in HOLDERS {
        if server != Server::Duologue && !peers.contains(&server) {
            continue;
        }
        let lifetime = (settle + Duration::from_secs(60)) * levels.len() as u32;
        let running = Running::start(server, setting, lifetime);
        let (uac, uas) = running.ends();
        let options = Options {
            proxy: running.listen,
            process: Some(running.process.id()),
            work: Work::Session,
            pace: Pace::InFlight(0),
            warm_up: Duration::ZERO,
            measured: Duration::ZERO,
        };
        let held = Load::new(options, uac, uas)?.hold(levels, settle).with_context(|| format!("sessions of {name}"))?;
        for level in &held {
            eprintln!(
                "W6 {name}: {} held, {:.1} KiB each, {:.1} µs to close one, {} failed",
                level.sessions,
                level.bytes_per_session / 1024.0,
                level.close_us,
                level.errors
            );
        }
        found.push((name, held));
    }
    Ok(Sessions { found, settle })
}

impl Sessions {
    /// The section for W6.
    pub fn table(&self) -> String {
        let mut out = String::from(
            "| server | sessions held | KiB per session | CPU µs to close one | failed |\n|---|---|---|---|---|\n",
        );
        for (name, held) in &self.found {
            for Held { sessions, bytes_per_session, close_us, errors } in held {
                let kib = bytes_per_session / 1024.0;
                // Writing to a String cannot fail.
                let _ok = writeln!(out, "| {name} | {sessions} | {kib:.1} | {close_us:.1} | {errors} |");
            }
        }
        let _ok = writeln!(out, "\n- memory is measured {} s after the last set-up", self.settle.as_secs());
        out
    }

    /// `{"duologue, off the media path":[{"sessions":…,"bytes_per_session":…,"close_us":…},…],…}`.
    pub fn json(&self) -> Value {
        let all = self.found.iter().map(|(name, held)| ((*name).to_owned(), value!(held)));
        Value::Object(all.collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_of_sessions_has_a_row() {
        let held = |sessions| Held { sessions, bytes_per_session: 2048.0, close_us: 20.04, errors: 0 };
        let found = vec![("kamailio with dialog", vec![held(1000), held(10_000)])];
        let sessions = Sessions { found, settle: Duration::from_secs(35) };
        let table = sessions.table();
        assert!(table.contains("| kamailio with dialog | 10000 | 2.0 | 20.0 | 0 |\n"), "{table}");
        assert_eq!(sessions.json()["kamailio with dialog"][0]["sessions"], 1000);
    }
}
