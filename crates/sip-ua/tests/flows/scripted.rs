//! A peer that sends what the test writes, and answers nothing by itself.

use std::collections::VecDeque;

use bytes::Bytes;
use sim::{Net, NodeId, addr};
use sip::{Builder, Message, Name, Request, Response};
use wire::{Input, Instant, Node, Now, Output};

use crate::phone::BOB;

pub(crate) const WIRE: &str = "10.0.0.9:5060";

#[derive(Default)]
pub(crate) struct Script {
    out: VecDeque<Output>,
    branches: u32,
    pub(crate) received: Vec<Bytes>,
}

impl Script {
    pub(crate) fn send_to(&mut self, remote: &str, data: Bytes) {
        self.out.push_back(Output::Datagram { local: addr(WIRE), remote: addr(remote), data });
    }

    /// The last request received with that method.
    pub(crate) fn request(&self, method: &str) -> Request {
        let found = self.received.iter().rev().find(|data| data.starts_with(method.as_bytes()));
        Message::parse_request(found.unwrap().clone()).unwrap()
    }

    fn response(&self) -> Response {
        let found = self.received.iter().rev().find(|data| data.starts_with(b"SIP/2.0 2"));
        Message::parse_response(found.unwrap().clone()).unwrap()
    }
}

impl Node for Script {
    fn handle_input(&mut self, input: Input, _now: Now) {
        if let Input::Datagram { data, .. } = input {
            self.received.push(data);
        }
    }

    fn handle_timeout(&mut self, _now: Now) {}

    fn poll_output(&mut self) -> Option<Output> {
        self.out.pop_front()
    }

    fn poll_timeout(&self) -> Option<Instant> {
        None
    }
}

/// The scripted peer's place in a network.
#[derive(Clone, Copy)]
pub(crate) struct Wire(pub(crate) NodeId<Script>);

/// A dialog that the scripted peer made by its INVITE.
pub(crate) struct Made {
    to: String,
}

impl Made {
    pub(crate) fn request(&self, method: &str, cseq: u32) -> Vec<(Name, String)> {
        let mut fields = Wire::invite_fields();
        fields.retain(|(name, _)| !matches!(name, Name::To | Name::CSeq | Name::Contact));
        fields.extend([(Name::To, self.to.clone()), (Name::CSeq, format!("{cseq} {method}"))]);
        fields
    }
}

impl Wire {
    pub(crate) fn add(net: &mut Net) -> Wire {
        Wire(net.add("wire", &[addr(WIRE)], Script::default()))
    }

    pub(crate) fn invite_fields() -> Vec<(Name, String)> {
        [
            (Name::From, "<sip:w@x>;tag=w1"),
            (Name::To, "<sip:bob@x>"),
            (Name::CSeq, "10 INVITE"),
            (Name::Contact, "<sip:w@10.0.0.9>"),
        ]
        .map(|(name, value)| (name, value.to_owned()))
        .to_vec()
    }

    /// Sends a request to Bob, each with a branch of its own.
    pub(crate) fn send<V: AsRef<[u8]>>(self, net: &mut Net, method: &str, fields: &[(Name, V)]) {
        self.send_to(net, BOB, method, fields);
    }

    /// Sends a request to one of the phones.
    pub(crate) fn send_to<V: AsRef<[u8]>>(self, net: &mut Net, to: &str, method: &str, fields: &[(Name, V)]) {
        net.node_mut(self.0, |script, _| {
            script.branches += 1;
            let via = format!("SIP/2.0/UDP {WIRE};branch=z9hG4bK{}", script.branches);
            let start = Builder::request_named(method, "sip:bob@10.0.0.2").header(Name::Via, via);
            let has_call_id = fields.iter().any(|(name, _)| *name == Name::CallId);
            let start = start.maybe(Name::CallId, (!has_call_id).then_some("wire-call"));
            let message = fields.iter().fold(start, |builder, (name, value)| builder.header(*name, value));
            script.send_to(to, message.finish());
        });
    }

    /// Calls Bob, who answers.
    pub(crate) fn invite(self, net: &mut Net) -> Made {
        self.send(net, "INVITE", &Wire::invite_fields());
        net.run_for(crate::phone::SECOND / 10);
        let to = net[self.0].response().header(Name::To).unwrap().to_vec();
        let made = Made { to: String::from_utf8(to).unwrap() };
        self.send(net, "ACK", &made.request("ACK", 10));
        net.run_for(crate::phone::SECOND / 10);
        made
    }

    /// Answers the last INVITE received, with that tag.
    pub(crate) fn answer(self, net: &mut Net, status: u16, tag: &str) {
        net.node_mut(self.0, |script, _| {
            let invite = script.request("INVITE");
            let builder = invite.respond(status, tag).header(Name::Contact, format!("<sip:{tag}@{WIRE}>"));
            let message = match status {
                200..300 => builder.body("application/sdp", tag.as_bytes()),
                _ => builder.finish(),
            };
            script.send_to(crate::phone::ALICE, message);
        });
        net.run_for(crate::phone::SECOND / 10);
    }

    /// Answers the last request received with that method, and says what is given besides.
    pub(crate) fn reply(self, net: &mut Net, method: &str, status: u16, says: &[(Name, &str)]) {
        net.node_mut(self.0, |script, _| {
            let request = script.request(method);
            let answer = request.respond(status, "w1").header(Name::Contact, format!("<sip:w@{WIRE}>"));
            let answer = says.iter().fold(answer, |answer, (name, value)| answer.header(*name, value));
            let has_offer = status < 300 && !request.body().is_empty();
            let message = if has_offer { answer.body("application/sdp", b"answer") } else { answer.finish() };
            script.send_to(crate::phone::ALICE, message);
        });
        net.run_for(crate::phone::SECOND / 10);
    }

    /// The last request received with that method.
    pub(crate) fn last(self, net: &Net, method: &str) -> Request {
        net[self.0].request(method)
    }

    /// How many requests of that method came, copies included.
    pub(crate) fn count(self, net: &Net, method: &str) -> usize {
        net[self.0].received.iter().filter(|data| data.starts_with(method.as_bytes())).count()
    }

    /// Answers every BYE received 200.
    pub(crate) fn answer_byes(self, net: &mut Net) {
        net.node_mut(self.0, |script, _| {
            let byes: Vec<Bytes> = script.received.iter().filter(|d| d.starts_with(b"BYE")).cloned().collect();
            for bye in byes {
                let bye = Message::parse_request(bye).unwrap();
                script.send_to(crate::phone::ALICE, bye.respond(200, "").finish());
            }
        });
        net.run_for(crate::phone::SECOND / 10);
    }
}
