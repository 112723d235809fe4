use std::collections::VecDeque;
use std::net::SocketAddr;

use bytes::Bytes;
use scenarios::Site;
use sim::{Arrow, Net};
use wire::{ConnId, Input, Instant, Node, Now, Output, Transport};

use crate::plan::Forgery;

/// A host that takes part in nothing, and knows the Call-ID of everything.
#[derive(Debug)]
pub(crate) struct Stranger {
    out: VecDeque<Output>,
    address: SocketAddr,
    forged: u64,
}

impl Stranger {
    pub(crate) const fn new(address: SocketAddr) -> Stranger {
        Stranger { out: VecDeque::new(), address, forged: 0 }
    }

    /// Sends one forgery about the session of this INVITE.
    pub(crate) fn forge(&mut self, forgery: Forgery, site: Site, invite: &Arrow) {
        self.forged += 1;
        let (text, n) = (invite.text(), self.forged);
        let field = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default().to_owned();
        let (from, to, call_id, cseq) = (field("From:"), field("To:"), field("Call-ID:"), field("CSeq:"));
        let (me, target) = (self.address, site.sip());
        let head = |line: &str, via: SocketAddr, from: &str, to: &str, cseq: &str| {
            format!(
                "{line}\r\nVia: SIP/2.0/UDP {via};branch=z9hG4bK-forged-{n}\r\nMax-Forwards: 70\r\nFrom:{from}\r\nTo:{to}\r\n\
                 Call-ID:{call_id}\r\nCSeq: {cseq}\r\nContent-Length: 0\r\n\r\n"
            )
        };
        let untagged = |value: &str| value.split(";tag=").next().unwrap_or_default().to_owned();
        let other = |value: &str| format!("{};tag=forged{n}", untagged(value));
        match forgery {
            Forgery::Bye => {
                let line = format!("BYE sip:x@{target} SIP/2.0");
                self.datagram(target, head(&line, me, &other(&from), &other(&to), "99 BYE"));
            }
            Forgery::Cancel => {
                let line = format!("CANCEL sip:x@{target} SIP/2.0");
                let cseq = cseq.trim().replace("INVITE", "CANCEL");
                self.datagram(target, head(&line, me, &from, &untagged(&to), &cseq));
            }
            Forgery::Gone => {
                let line = "SIP/2.0 481 Call/Transaction Does Not Exist";
                self.datagram(target, head(line, target, &from, &other(&to), "2 BYE"));
            }
            // Called MSRP at its beginning, for the ladder's sake.
            Forgery::MsrpJunk => self.stream(site.msrp(), "MSRP \u{1}\u{2} junk\r\n\r\n-------junk".to_owned()),
            Forgery::MsrpSend => {
                let (to, me) = (site.msrp(), SocketAddr::new(me.ip(), 2855));
                self.stream(
                    site.msrp(),
                    format!(
                        "MSRP forged{n} SEND\r\nTo-Path: msrp://{to}/guess{n};tcp\r\nFrom-Path: msrp://{me}/me;tcp\r\n\
                         Message-ID: forged{n}\r\nByte-Range: 1-2/2\r\nContent-Type: text/plain\r\n\r\nhi\r\n-------forged{n}$\r\n"
                    ),
                );
            }
        }
    }

    fn datagram(&mut self, remote: SocketAddr, text: String) {
        self.out.push_back(Output::Datagram { local: self.address, remote, data: Bytes::from(text) });
    }

    fn stream(&mut self, remote: SocketAddr, text: String) {
        let conn = ConnId::opened(self.forged);
        self.out.push_back(Output::Connect {
            conn,
            transport: Transport::Tcp,
            local: self.address,
            remote,
            verify: None,
        });
        self.out.push_back(Output::Write { conn, data: Bytes::from(text) });
        self.out.push_back(Output::Close { conn });
    }
}

/// The last INVITE that came to this node.
pub(crate) fn last_invite(net: &Net, site: Site) -> Option<Arrow> {
    let at_site = |arrow: &&Arrow| arrow.label == "INVITE" && &*arrow.to == site.name();
    net.arrows().iter().rev().find(at_site).cloned()
}

impl Node for Stranger {
    /// Nobody tells a stranger anything.
    fn handle_input(&mut self, _: Input, _: Now) {}

    fn handle_timeout(&mut self, _: Now) {}

    fn poll_output(&mut self) -> Option<Output> {
        self.out.pop_front()
    }

    fn poll_timeout(&self) -> Option<Instant> {
        None
    }
}
