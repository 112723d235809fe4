//! [`sip::Edit`] against a model that keeps a list of lines and changes it line by line.

use bytes::Bytes;
use proptest::collection::vec;
use proptest::prelude::*;
use sip::{Edit, Limits, Message, Name};

/// One call on an edit.
#[derive(Clone, Debug)]
enum Op {
    Uri(String),
    Prepend(Name, String),
    Append(Name, String),
    AppendNamed(String, String),
    Remove(Name),
    Set(Name, String),
    RemoveTop(usize),
    ReplaceTop(String),
    SpliceTo(String),
    Body(Vec<u8>),
}

/// A line of the model: a name, and the value it still has.
#[derive(Clone, Debug)]
struct Line {
    name: Name,
    prefix: String,
    value: Option<String>,
    removed: bool,
    /// What was put in above this line, the last first.
    above: Vec<String>,
}

struct Model {
    uri: String,
    lines: Vec<Line>,
    appended: Vec<(Name, bool, String)>,
    body: Option<Vec<u8>>,
}

impl Model {
    /// The model of [`text`], whose lines are these.
    fn new(lines: &[(Name, String, String)]) -> Model {
        let line = |(name, prefix, value): &(Name, String, String)| Line {
            name: *name,
            prefix: prefix.clone(),
            value: Some(value.clone()),
            removed: false,
            above: Vec::new(),
        };
        let lines = lines.iter().map(line).collect();
        Model { uri: "sip:old@example".to_owned(), lines, appended: Vec::new(), body: None }
    }

    fn apply(&mut self, op: &Op) {
        match op {
            Op::Uri(uri) => self.uri.clone_from(uri),
            Op::Prepend(name, value) => {
                let at = self.lines.iter().position(|l| l.name == *name).unwrap_or_default();
                self.lines[at].above.insert(0, format!("{}: {value}\r\n", name.as_str()));
            }
            Op::Append(name, value) => self.append(*name, false, value),
            Op::AppendNamed(name, value) => self.appended.push((Name::Other, false, format!("{name}: {value}\r\n"))),
            Op::Remove(name) => self.lines_of(*name).for_each(|line| line.removed = true),
            Op::Set(name, value) => self.set(*name, value),
            Op::RemoveTop(count) => self.remove_top(*count),
            Op::ReplaceTop(value) => {
                let via = self.lines_of(Name::Via).next().and_then(|line| line.value.as_mut());
                let via = via.expect("the message has a Via");
                let rest = via.find(" ,").map(|comma| via[comma..].to_owned()).unwrap_or_default();
                *via = format!("{value}{rest}");
            }
            Op::SpliceTo(value) => {
                for line in self.lines_of(Name::To) {
                    line.value = Some(value.clone());
                }
            }
            Op::Body(body) => {
                self.set(Name::ContentLength, &body.len().to_string());
                self.body = Some(body.clone());
            }
        }
    }

    fn lines_of(&mut self, name: Name) -> impl Iterator<Item = &mut Line> {
        self.lines.iter_mut().filter(move |line| line.name == name)
    }

    fn append(&mut self, name: Name, set: bool, value: &str) {
        self.appended.push((name, set, format!("{}: {value}\r\n", name.as_str())));
    }

    fn set(&mut self, name: Name, value: &str) {
        let mut seen = false;
        for line in self.lines_of(name) {
            (line.removed, line.value) = (seen, Some(value.to_owned()));
            seen = true;
        }
        if seen {
            return;
        }
        match self.appended.iter().position(|(n, set, _)| *n == name && *set) {
            Some(i) => self.appended[i].2 = format!("{}: {value}\r\n", name.as_str()),
            None => self.append(name, true, value),
        }
    }

    fn remove_top(&mut self, mut count: usize) {
        for line in self.lines_of(Name::Route) {
            let value = line.value.clone().expect("Route lines have values");
            let entries: Vec<_> = value.split(", ").collect();
            let kept = &entries[count.min(entries.len())..];
            count = count.saturating_sub(entries.len());
            (line.removed, line.value) = (kept.is_empty(), Some(kept.join(", ")));
        }
    }

    fn print(&self, body: &[u8]) -> Vec<u8> {
        let mut out = format!("INVITE {} SIP/2.0\r\n", self.uri);
        for line in &self.lines {
            out.extend(line.above.iter().map(String::as_str));
            if let (false, Some(value)) = (line.removed, &line.value) {
                out.push_str(&format!("{}{value}\r\n", line.prefix));
            }
        }
        out.extend(self.appended.iter().map(|(_, _, line)| line.as_str()));
        out.push_str("\r\n");
        [out.as_bytes(), self.body.as_deref().unwrap_or(body)].concat()
    }
}

/// Applies an operation to the real thing.
fn apply<'a>(edit: &mut Edit<'a>, message: &'a Message, op: &Op) {
    _ = match op {
        Op::Uri(uri) => edit.uri(uri.as_bytes()),
        Op::Prepend(name, value) => edit.prepend(*name, value),
        Op::Append(name, value) => edit.append(*name, value),
        Op::AppendNamed(name, value) => edit.append_named(name, value),
        Op::Remove(name) => edit.remove(*name),
        Op::Set(name, value) => edit.set(*name, value),
        Op::RemoveTop(count) => edit.remove_top(Name::Route, *count),
        Op::ReplaceTop(value) => edit.replace_top(Name::Via, value),
        Op::SpliceTo(value) => edit.splice(message.header(Name::To).unwrap_or_default(), value.as_bytes()),
        Op::Body(body) => edit.body(body),
    };
}

const VIAS: [&str; 3] = ["SIP/2.0/UDP one;branch=z9hG4bK1", "SIP/2.0/TCP two;branch=z9hG4bK2", "SIP/2.0/UDP [::1]"];

prop_compose! {
    /// The lines of a request: what it must have, Routes in one to three lines, some others, in any order.
    fn lines()(
        vias in 1..4usize,
        routes in vec(vec("<sip:[a-z]{1,3};lr>", 1..4), 0..4),
        others in vec((0..4usize, "[a-z0-9]{0,6}"), 0..5),
        content_length in any::<bool>(),
        seed in any::<[usize; 16]>(),
    ) -> Vec<(Name, String, String)> {
        let line = |name: Name, prefix: &str, value: &str| (name, prefix.to_owned(), value.to_owned());
        let mut lines = vec![
            line(Name::Via, "v:", &VIAS[..vias].join(" , ")),
            line(Name::From, "From: ", "\"A, B\" <sip:a@b>;tag=1"),
            line(Name::To, "t  :\t", "<sip:c@d>"),
            line(Name::CallId, "Call-ID: ", "x@y"),
            line(Name::CSeq, "CSEQ: ", "1 INVITE"),
        ];
        lines.extend(routes.iter().map(|entries| line(Name::Route, "Route:\r\n ", &entries.join(", "))));
        let names = [(Name::Supported, "k: "), (Name::Subject, "Subject: "), (Name::Other, "X-Odd : "), (Name::Allow, "ALLOW:")];
        lines.extend(others.iter().map(|(i, value)| line(names[*i].0, names[*i].1, value)));
        if content_length {
            lines.push(line(Name::ContentLength, "l: ", "4"));
        }
        for (i, n) in seed.iter().enumerate() {
            let len = lines.len();
            lines.swap(i % len, n % len);
        }
        lines
    }
}

fn op() -> impl Strategy<Value = Op> {
    let name =
        || prop::sample::select(vec![Name::Supported, Name::Subject, Name::Allow, Name::Priority, Name::Expires]);
    let listed = prop::sample::select(vec![Name::Via, Name::RecordRoute, Name::Route, Name::Supported, Name::Path]);
    let value = || "[a-z0-9]{0,8}";
    prop_oneof![
        "sip:[a-z]{1,9}@new".prop_map(Op::Uri),
        (listed, value()).prop_map(|(n, v)| Op::Prepend(n, v)),
        (name(), value()).prop_map(|(n, v)| Op::Append(n, v)),
        ("X-[A-Z]{1,3}", value()).prop_map(|(n, v)| Op::AppendNamed(n, v)),
        name().prop_map(Op::Remove),
        (name(), value()).prop_map(|(n, v)| Op::Set(n, v)),
    ]
}

fn ops() -> impl Strategy<Value = Vec<Op>> {
    // Changes of parts of a line are said once per line: what they do twice is not promised.
    let parts = (
        prop::option::of((0..6usize).prop_map(Op::RemoveTop)),
        prop::option::of("SIP/2\\.0/UDP [a-z]{1,9}".prop_map(Op::ReplaceTop)),
        prop::option::of("<sip:e@f>;tag=[a-z]{1,4}".prop_map(Op::SpliceTo)),
        prop::option::of(vec(any::<u8>(), 0..20).prop_map(Op::Body)),
    );
    (vec(op(), 0..8), parts, any::<usize>()).prop_map(|(mut ops, (a, b, c, d), turn)| {
        ops.extend([a, b, c, d].into_iter().flatten());
        let len = ops.len().max(1);
        ops.rotate_left(turn % len);
        ops
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn edits_do_what_the_model_does(lines in lines(), ops in ops()) {
        let body = b"body";
        let mut model = Model::new(&lines);
        let original = model.print(body);
        let message = Message::parse(Bytes::from(original.clone()), &Limits::default())
            .map_err(|m| TestCaseError::fail(format!("{}: {}", m.error, String::from_utf8_lossy(&original))))?;
        let mut edit = message.edit();
        for op in &ops {
            model.apply(op);
            apply(&mut edit, &message, op);
        }
        let (printed, expected) = (edit.finish(), model.print(body));
        prop_assert_eq!(String::from_utf8_lossy(&printed), String::from_utf8_lossy(&expected));
    }
}

#[test]
fn of_two_changes_to_the_same_text_the_last_counts() {
    let text = "INVITE sip:a@b SIP/2.0\r\nv: SIP/2.0/UDP h\r\nf: <sip:a@b>;tag=1\r\nt: <sip:c@d>\r\ni: 1\r\nCSeq: 1 INVITE\r\n\r\n";
    let message = Message::parse(Bytes::from(text), &Limits::default()).unwrap();
    let changed = |edit: &mut Edit<'_>| String::from_utf8_lossy(&edit.finish()).into_owned();
    assert_eq!(changed(message.edit().uri(b"sip:x").uri(b"sip:y")), text.replace("sip:a@b SIP", "sip:y SIP"));
    assert_eq!(changed(message.edit().set(Name::CallId, "2").set(Name::CallId, "3")), text.replace("i: 1", "i: 3"));
    assert_eq!(changed(message.edit().remove(Name::CallId).set(Name::CallId, "3")), text.replace("i: 1", "i: 3"));
    assert_eq!(changed(message.edit().set(Name::CallId, "3").remove(Name::CallId)), text.replace("i: 1\r\n", ""));
}
