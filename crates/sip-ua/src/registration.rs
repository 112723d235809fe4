//! TEMP
#![allow(missing_docs)]
use crate::Headers;
use crate::digest::Account;
use bytes::Bytes;
use sip::{Builder, Method, Name};
use sip_tx::{Event, Owner, Stack, Target};
use std::collections::VecDeque;
use wire::{Instant, Now};
#[derive(Debug, Clone)]
pub struct RegistrationPlan {
    pub registrar: Bytes,
    pub aor: Bytes,
    pub contact: Bytes,
    pub expires: u32,
    pub headers: Headers,
    pub target: Option<Target>,
}
#[derive(Debug)]
pub enum RegistrationEvent {
    Registered { expires: u32 },
    Failed { status: u16 },
    Unregistered,
}
#[derive(Debug)]
pub struct Registration {
    routes: Vec<Bytes>,
    events: VecDeque<RegistrationEvent>,
}
impl Registration {
    pub fn new(_a: Account) -> Registration {
        Registration { routes: vec![], events: VecDeque::new() }
    }
    pub fn register(&mut self, stack: &mut Stack, plan: RegistrationPlan, now: Now) {
        let t = plan.target.unwrap();
        let hop = stack.hop(&t, 500, "").unwrap();
        let aor = String::from_utf8_lossy(&plan.aor).into_owned();
        let b = Builder::request(Method::Register, &plan.registrar)
            .header(Name::Via, hop.via())
            .header(Name::MaxForwards, "70")
            .header(Name::From, format!("<{aor}>;tag={}", stack.entropy().tag()))
            .header(Name::To, format!("<{aor}>"))
            .header(Name::CallId, stack.entropy().tag())
            .header(Name::CSeq, "1 REGISTER")
            .header(Name::Contact, &plan.contact)
            .header(Name::Expires, plan.expires.to_string())
            .finish();
        stack.request(hop, Method::Register, b, Owner::Role(77), now);
    }
    pub fn deregister(&mut self, _s: &mut Stack, _now: Now) {}
    pub fn service_route(&self) -> &[Bytes] {
        &self.routes
    }
    pub fn handle(&mut self, _s: &mut Stack, e: Event, _now: Now) -> Option<Event> {
        match e {
            Event::Response { owner: Owner::Role(77), response, .. } => {
                if response.status() == 200 {
                    self.routes = response.values(Name::ServiceRoute).map(Bytes::copy_from_slice).collect();
                    self.events.push_back(RegistrationEvent::Registered { expires: 600 });
                } else {
                    self.events.push_back(RegistrationEvent::Failed { status: response.status() })
                }
                None
            }
            e => Some(e),
        }
    }
    pub fn poll_event(&mut self) -> Option<RegistrationEvent> {
        self.events.pop_front()
    }
    pub fn handle_timeout(&mut self, _s: &mut Stack, _n: Now) {}
    pub fn poll_timeout(&self) -> Option<Instant> {
        None
    }
}
