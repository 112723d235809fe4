//! The messages of RFC 4475 and RFC 5118, byte for byte, to a running core and a running participating function.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use interop::{Loopback, Torture, TortureCase, Transport};
use serde::Deserialize;

use crate::ground::{self, Place, serve};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Verdicts {
    case: Vec<Verdict>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "the parser's own tests read the other fields")]
struct Verdict {
    name: String,
    file: String,
    section: String,
    class: String,
    message: toml::Value,
    answers: Option<Vec<String>>,
    answers_tcp: Option<Vec<String>>,
    never: Option<Vec<String>>,
    why: String,
}

fn fits(answer: Option<u16>, list: &[String]) -> bool {
    list.iter().any(|word| match answer {
        None => word == "none",
        Some(status) => *word == status.to_string() || *word == format!("{}xx", status / 100),
    })
}

impl Verdict {
    fn allows(&self, answer: Option<u16>, transport: Transport) -> bool {
        let tcp = self.answers_tcp.as_ref().filter(|_| transport == Transport::Tcp);
        match (tcp.or(self.answers.as_ref()), &self.never) {
            (Some(right), _) => fits(answer, right),
            (None, Some(wrong)) => !fits(answer, wrong),
            (None, None) => panic!("{} has no verdict for a node", self.name),
        }
    }
}

/// The branch of the topmost Via: a second message with it is a retransmission to a node.
fn branch(message: &[u8]) -> String {
    let text = String::from_utf8_lossy(message).into_owned();
    let after = text.split("branch").nth(1).unwrap_or_default().trim_start_matches([' ', '=', '\r', '\n', '\t']);
    after.split(|c: char| c == ';' || c == ',' || c.is_whitespace()).next().unwrap_or_default().to_owned()
}

/// The messages in batches, no two of a batch with one branch.
fn batches(folder: &Path) -> Vec<Vec<PathBuf>> {
    let mut files: Vec<_> = ["rfc4475", "rfc5118"]
        .iter()
        .flat_map(|set| std::fs::read_dir(folder.join(set)).unwrap().map(|f| f.unwrap().path()))
        .collect();
    files.sort();
    assert_eq!(files.len(), 61);
    let mut batches: Vec<(Vec<String>, Vec<PathBuf>)> = Vec::new();
    for file in files {
        let branch = branch(&std::fs::read(&file).unwrap());
        match batches.iter_mut().find(|(seen, _)| !seen.contains(&branch)) {
            Some((seen, batch)) => {
                seen.push(branch);
                batch.push(file);
            }
            None => batches.push((vec![branch], vec![file])),
        }
    }
    batches.into_iter().map(|(_, batch)| batch).collect()
}

/// What a fresh core and a fresh participating function make of a batch.
fn ask(batch: &[PathBuf], transport: Transport) -> Vec<(&'static str, TortureCase)> {
    let [lease, to_core, to_pf] = [(); 3].map(|()| Loopback::lease());
    let [core, pf] = lease.ports();
    let trusted = [to_pf.ip().into(), Ipv4Addr::LOCALHOST.into()];
    let config =
        [ground::core("core-a", core, pf, pf, Transport::Udp), ground::pf_trusting("pf-a", pf, Place::On, &trusted)];
    let _nodes = serve(&config.join("\n"), &[core, pf]);
    let run =
        |node, from: &Loopback| Torture { node, transport, patience: Duration::from_millis(300) }.run(from, batch);
    let (by_core, by_pf) = (run(core, &to_core), run(pf, &to_pf));
    by_core.into_iter().map(|c| ("core", c)).chain(by_pf.into_iter().map(|c| ("pf", c))).collect()
}

#[test]
fn every_torture_message_gets_the_verdict_of_its_rfc() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../sip/tests/torture");
    let verdicts: Verdicts = toml::from_str(&std::fs::read_to_string(folder.join("verdicts.toml")).unwrap()).unwrap();
    let verdicts: BTreeMap<_, _> = verdicts.case.into_iter().map(|v| (v.name.clone(), v)).collect();
    let mut wrong = Vec::new();
    for batch in batches(&folder) {
        for transport in [Transport::Udp, Transport::Tcp] {
            for (node, case) in ask(&batch, transport) {
                let verdict = verdicts.get(&case.name).unwrap_or_else(|| panic!("no verdict for {}", case.name));
                if !case.alive || !verdict.allows(case.answer, transport) {
                    let TortureCase { name, answer, alive, .. } = case;
                    wrong.push(format!("{node} {transport:?} {name} ({}): {answer:?}, alive {alive}", verdict.section));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
