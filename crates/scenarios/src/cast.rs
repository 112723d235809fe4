use std::time::Duration;

use sim::NodeId;
use sip::Method;

use crate::{Ask, Phone, Setup, Site, System, audit};

/// The system with phones that do what the test says in the place of both clients.
#[derive(Debug)]
pub struct Cast {
    /// The system.
    pub system: System,
    /// Of Alice, behind Core A.
    pub caller: NodeId<Phone>,
    /// Of Bob, behind Core B.
    pub callee: NodeId<Phone>,
}

impl Cast {
    /// Builds the system and registers both phones.
    ///
    /// # Panics
    /// When one cannot register.
    pub fn new(mut setup: Setup) -> Cast {
        // Phones speak SIP alone.
        (setup.pf_a.media_grace, setup.pf_b.media_grace) = (None, None);
        let mut system = setup.build();
        let caller = system.phone("caller", Site::ClientA, 5060);
        let callee = system.phone("callee", Site::ClientB, 5060);
        for phone in [caller, callee] {
            system.net.node_mut(phone, Phone::register);
        }
        system.settle();
        let mut cast = Cast { system, caller, callee };
        for phone in [caller, callee] {
            assert_eq!(cast.phone(phone).statuses(), [200]);
            cast.phone(phone).responses.clear();
        }
        cast
    }

    /// One of the phones, to be told or asked something.
    pub fn phone(&mut self, phone: NodeId<Phone>) -> &mut Phone {
        &mut self.system.net[phone]
    }

    /// The caller sends a request, and all comes to rest.
    pub fn ask(&mut self, ask: Ask) {
        self.system.net.node_mut(self.caller, |phone, now| phone.ask(ask, now));
        self.system.settle();
    }

    /// The statuses of the responses that the caller got.
    pub fn statuses(&mut self) -> Vec<u16> {
        let caller = self.caller;
        self.phone(caller).statuses()
    }

    /// The last response that the caller got.
    ///
    /// # Panics
    /// When there is none.
    pub fn last(&mut self) -> sip::Response {
        let caller = self.caller;
        self.phone(caller).responses.last().expect("a response").clone()
    }

    /// The requests of a method that came to the callee.
    pub fn came(&mut self, method: Method) -> Vec<sip::Request> {
        let callee = self.callee;
        self.phone(callee).received(method).into_iter().cloned().collect()
    }

    /// Waits for the tombstones to go, and sees that nothing is left.
    ///
    /// # Panics
    /// When something is.
    pub fn assert_nothing_is_left(&mut self) {
        self.system.run_for(Duration::from_secs(70));
        audit(&self.system, &[]);
        assert_eq!(self.system.open(), []);
    }
}
