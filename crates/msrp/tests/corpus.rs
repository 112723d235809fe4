//! Runs every case of `corpus/msrp`: the verdict must be the expected one, however the stream is cut, and another session on
//! another connection must not notice.
#![expect(clippy::unwrap_used, reason = "a case that cannot be read has failed")]

mod common;

use std::fs;
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use common::{LOCAL, REMOTE, Raw};
use msrp::{Confirm, Endpoint, Event, Failure, Outline, SessionOptions};
use sdp::MediaTypes;
use serde::Deserialize;
use wire::{ConnId, Input, Transport};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    case: Vec<Case>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    section: String,
    #[serde(default)]
    state: Option<String>,
    #[serde(default)]
    accept: Option<String>,
    #[serde(default)]
    max_size: Option<u64>,
    #[serde(default)]
    probe: Option<bool>,
    send: Vec<String>,
    verdict: String,
    #[serde(default)]
    answers: Option<Vec<toml::Value>>,
    #[serde(default)]
    delivered: Vec<String>,
    #[serde(default)]
    outcomes: Vec<String>,
}

impl Case {
    /// The status codes that are answered, in order.
    fn answers(&self) -> Vec<String> {
        match &self.answers {
            None if self.verdict == "accept" => vec!["200".to_owned()],
            None => self.verdict.strip_prefix("status ").map(str::to_owned).into_iter().collect(),
            Some(answers) => answers.iter().flat_map(expand_answer).collect(),
        }
    }
}

/// `200`, or `"32 times 200"`.
fn expand_answer(answer: &toml::Value) -> Vec<String> {
    let Some(text) = answer.as_str() else { return vec![answer.to_string()] };
    let (count, code) = text.split_once(" times ").unwrap();
    vec![code.to_owned(); count.parse().unwrap()]
}

/// What came of a case.
#[derive(PartialEq, Eq, Debug, Default)]
struct Result {
    answers: Vec<String>,
    delivered: Vec<Bytes>,
    outcomes: Vec<String>,
    closed: bool,
}

struct Run {
    raw: Raw,
    result: Result,
    /// Identifiers of what the endpoint sent last.
    transaction: String,
    message: String,
    piece: usize,
}

/// `{paths}`, `{to}`, `{from}`, `{tid}`, `{mid}`, `{repeat:N:text}` and `{hex:00 ff}` in a text of the corpus.
fn expand(text: &str, run: Option<&Run>) -> Vec<u8> {
    let (tid, mid) = run.map_or(("", ""), |run| (run.transaction.as_str(), run.message.as_str()));
    let text = text.replace("{paths}", "To-Path: {to}\r\nFrom-Path: {from}\r\n").replace("{to}", LOCAL);
    let text = text.replace("{from}", REMOTE).replace("{tid}", tid).replace("{mid}", mid);
    let mut out = Vec::new();
    let mut rest = text.as_str();
    while let Some((before, after)) = rest.split_once('{') {
        out.extend_from_slice(before.as_bytes());
        let (inside, after) = after.split_once('}').unwrap();
        match inside.split_once(':').unwrap() {
            ("repeat", what) => {
                let (count, what) = what.split_once(':').unwrap();
                out.extend_from_slice(what.repeat(count.parse().unwrap()).as_bytes());
            }
            ("hex", what) => out.extend(what.split(' ').map(|byte| u8::from_str_radix(byte, 16).unwrap())),
            (other, _) => panic!("unknown placeholder {other}"),
        }
        rest = after;
    }
    out.extend_from_slice(rest.as_bytes());
    out
}

impl Run {
    fn new(case: &Case, piece: usize) -> Run {
        let raw = Raw::new(|_, session| {
            session.accept = MediaTypes::parse(case.accept.as_deref().unwrap_or("*"));
            session.max_size = case.max_size.unwrap_or(session.max_size);
            session.confirm = Confirm::AtOnce;
        });
        let mut run = Run { raw, result: Result::default(), transaction: String::new(), message: String::new(), piece };
        match case.state.as_deref() {
            None => run.raw.bind(),
            Some("unbound") => {}
            Some(other) => panic!("unknown state {other}"),
        }
        run.raw.events.clear();
        run
    }

    fn step(&mut self, step: &str) {
        let Some(command) = step.strip_prefix('@') else {
            let bytes = expand(step, Some(self));
            return self.put(&bytes);
        };
        let (command, argument) = command.split_once(' ').unwrap_or((command, ""));
        let (now, session) = (self.raw.now, self.raw.session);
        match command {
            "connect" => drop(self.raw.accept()),
            "drop" => {
                let conn = self.raw.conn;
                self.raw.endpoint.handle_input(Input::Closed { conn, failed: true }, now);
            }
            "wait" => {
                let text = self.raw.wait(Duration::from_secs(argument.parse().unwrap()));
                self.read(&text);
            }
            "drain" => self.raw.endpoint.drain(session, Duration::from_secs(2), now),
            "remove" => self.raw.endpoint.remove(session, now),
            "send" => {
                let outline = Outline::new("text/plain").with_success_report();
                self.raw.endpoint.send(session, outline, Bytes::copy_from_slice(argument.as_bytes()), now).unwrap();
            }
            "each" => {
                let mut parts = argument.splitn(3, ' ');
                let (from, to): (u32, u32) =
                    (parts.next().unwrap().parse().unwrap(), parts.next().unwrap().parse().unwrap());
                let template = parts.next().unwrap();
                for i in from..=to {
                    self.step(&template.replace("{i}", &i.to_string()));
                }
            }
            other => panic!("unknown step {other}"),
        }
        let text = self.raw.drain();
        self.read(&text);
    }

    fn put(&mut self, bytes: &[u8]) {
        for piece in bytes.chunks(self.piece) {
            let text = self.raw.put(piece);
            self.read(&text);
        }
    }

    /// Takes note of what the endpoint wrote and what it reported.
    fn read(&mut self, text: &str) {
        for event in std::mem::take(&mut self.raw.events) {
            let outcome = match event {
                Event::Incomplete { .. } => "incomplete".to_owned(),
                Event::Sent { .. } => "sent".to_owned(),
                Event::Failed { why: Failure::Refused(status), .. } => format!("failed {}", status.0),
                Event::Failed { why: Failure::Timeout, .. } => "failed timeout".to_owned(),
                Event::Report { range, status, .. } => format!("report {} {range}", status.0),
                Event::Failed { why: Failure::Unsent | Failure::Unknown, .. }
                | Event::Bound { .. }
                | Event::Disconnected { .. }
                | Event::Started { .. }
                | Event::Piece { .. }
                | Event::Complete { .. }
                | Event::WantsMore { .. }
                | Event::Drained { .. } => continue,
            };
            self.result.outcomes.push(outcome);
        }
        let mut method = "";
        for line in text.split("\r\n") {
            if let Some(rest) = line.strip_prefix("MSRP ") {
                let (transaction, what) = rest.split_once(' ').unwrap();
                method = what;
                match what.split(' ').next().unwrap() {
                    "SEND" => self.transaction = transaction.to_owned(),
                    "REPORT" => {}
                    code => self.result.answers.push(code.to_owned()),
                }
            } else if let Some(id) = line.strip_prefix("Message-ID: ").filter(|_| method == "SEND") {
                self.message = id.to_owned();
            } else if let Some(range) = line.strip_prefix("Byte-Range: ").filter(|_| method == "REPORT") {
                self.result.outcomes.push(format!("reported {range}"));
            }
        }
    }

    fn finish(&mut self) -> Result {
        let mut result = std::mem::take(&mut self.result);
        result.delivered = std::mem::take(&mut self.raw.messages).into_iter().map(Bytes::from).collect();
        result.closed = self.raw.is_closed();
        result
    }
}

fn probe(paths: &str) -> String {
    format!(
        "MSRP probe SEND\r\n{paths}Message-ID: probe\r\nByte-Range: 1-5/5\r\nContent-Type: text/plain\r\n\r\nprobe\r\n\
         -------probe$\r\n"
    )
}

/// Another session, on a connection of its own.
fn open_other(endpoint: &mut Endpoint) {
    let options = SessionOptions::new(
        "msrp://127.0.0.1:2855/bystander;tcp".parse().unwrap(),
        vec!["msrp://127.0.0.1:7/friend;tcp".parse().unwrap()],
    );
    endpoint.open(options).unwrap();
}

fn probe_other(run: &mut Run, name: &str) {
    let conn = ConnId::accepted(1_000_000);
    let (local, remote) = (sim::addr("127.0.0.1:2855"), sim::addr("127.0.0.1:7"));
    run.raw.conn = conn;
    run.raw
        .endpoint
        .handle_input(Input::Accepted { conn, transport: Transport::Tcp, local, remote, peer: None }, run.raw.now);
    let paths = "To-Path: msrp://127.0.0.1:2855/bystander;tcp\r\nFrom-Path: msrp://127.0.0.1:7/friend;tcp\r\n";
    let answer = run.raw.put(probe(paths).as_bytes());
    assert!(answer.starts_with("MSRP probe 200 OK\r\n"), "{name}: the other session is harmed: {answer}");
}

fn check(case: &Case, file: &str, piece: usize) -> std::result::Result<(), String> {
    let name = format!("{file}: {} (in pieces of {piece})", case.name);
    let mut run = Run::new(case, piece);
    open_other(&mut run.raw.endpoint);
    let first = run.raw.conn;
    for step in &case.send {
        run.step(step);
    }
    let result = run.finish();
    let expected = Result {
        answers: case.answers(),
        delivered: case.delivered.iter().map(|text| expand(text, None).into()).collect(),
        outcomes: case.outcomes.clone(),
        closed: case.verdict == "close",
    };
    if result != expected {
        return Err(format!("{name} [{}]\n  expected {expected:?}\n  but got  {result:?}", case.section));
    }
    // Whatever it was, the session goes on, unless it was closed.
    let ends = |step: &String| ["@drop", "@drain", "@remove"].iter().any(|end| step.starts_with(end));
    if !result.closed && case.probe != Some(false) && !case.send.iter().any(ends) {
        run.raw.conn = first;
        let answer = run.raw.put(&expand(&probe("{paths}"), None));
        if !answer.contains("MSRP probe 200 OK\r\n") || run.raw.messages != [b"probe"] {
            return Err(format!("{name}\n  the session is dead: {answer:?}"));
        }
    }
    probe_other(&mut run, &name);
    Ok(())
}

#[test]
fn every_case_of_the_corpus_has_its_verdict() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../corpus/msrp");
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let (mut cases, mut wrong) = (0, Vec::new());
    for path in files {
        let file: File = toml::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        for case in &file.case {
            let known = ["accept", "ignore", "close"].contains(&case.verdict.as_str());
            assert!(known || case.verdict.starts_with("status "), "{name}: {} has no verdict", case.name);
            cases += 1;
            for piece in [usize::MAX, 1, 7] {
                wrong.extend(check(case, &name, piece).err());
            }
        }
    }
    assert!(cases >= 300, "{cases} cases");
    assert!(wrong.is_empty(), "{} of {cases} cases:\n{}", wrong.len(), wrong.join("\n"));
}
