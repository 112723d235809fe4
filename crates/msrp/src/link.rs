use std::net::SocketAddr;

use sdp::{Connector, Host, MsrpMedia, MsrpUri};
use wire::{Instant, Now};

use crate::reconnect::{Reconnect, Step};
use crate::{Endpoint, SessionId};

/// What is to be done about the connection of a session.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Remedy {
    /// Open it, to there: that is up to us.
    Connect(SocketAddr),
    /// Offer a new path by re-INVITE: [`Link::renew`] when it leaves, [`Link::postpone`] when it cannot.
    Offer,
    /// Offer the same path again, without CEMA (RFC 6714 §4.2): [`Link::reoffered`] when it leaves.
    OfferWithoutCema,
    /// Nothing: what waited for the connection has failed.
    GiveUp,
    /// It never came up: end the session.
    End,
}

/// The connection of one session, from offer and answer to its end and beyond: who opens it, where to, and what becomes of
/// it when it is lost, for the SIP session outlives it (RFC 4975 §5.4).
///
/// The side that may connect opens a lost connection again after half a second, unless BYE comes first. If that fails, or if
/// it is up to the other side and that one does not come, a new path is offered. What then does not come up is given up,
/// until a message asks for it again. A session that has not had a connection after 35 s ends.
///
/// It decides; who holds it carries out each [`Remedy`] and tells it what came of that.
#[derive(Debug)]
pub struct Link {
    session: SessionId,
    reconnect: Reconnect,
    /// Where we connect to, if that is up to us.
    place: Option<SocketAddr>,
    /// Our path and the peer's, as they were last agreed on.
    agreed: Option<[Vec<MsrpUri>; 2]>,
}

impl Link {
    /// The connection of a session whose descriptions have not been exchanged.
    pub fn new(session: SessionId) -> Link {
        Link { session, reconnect: Reconnect::default(), place: None, agreed: None }
    }

    /// The session.
    pub const fn session(&self) -> SessionId {
        self.session
    }

    /// Whether offer and answer have named the paths.
    pub const fn is_agreed(&self) -> bool {
        self.agreed.is_some()
    }

    /// Whether there was a connection once.
    pub const fn has_been_up(&self) -> bool {
        self.reconnect.has_been_up
    }

    /// Whether messages may wait for the connection: it is up, or something is being done about it.
    pub fn has_hope(&self) -> bool {
        self.reconnect.has_hope()
    }

    /// Offer and answer are exchanged, the first or further ones; `we` wrote the offer or the answer.
    pub fn join(
        &mut self,
        ours: &MsrpMedia,
        theirs: &MsrpMedia,
        we: Connector,
        endpoint: &mut Endpoint,
        now: Now,
    ) -> Option<Remedy> {
        let paths = [ours.path.clone(), theirs.path.clone()];
        // A refresh; or a description that leads nowhere.
        if self.agreed.as_ref() == Some(&paths) || theirs.path.is_empty() {
            return None;
        }
        // The peer has moved and we have not: what leads to its old place leads nowhere.
        if self.agreed.is_some() {
            endpoint.disconnect(self.session, now);
        }
        let (offer, answer) = match we {
            Connector::Offerer => (ours, theirs),
            Connector::Answerer => (theirs, ours),
        };
        self.place = place(ours, theirs).filter(|_| sdp::connector(offer.setup, answer.setup) == Some(we));
        endpoint.set_peer(self.session, theirs, now);
        if we == Connector::Offerer && sdp::needs_fallback(ours, theirs) {
            return Some(Remedy::OfferWithoutCema);
        }
        self.agreed = Some(paths);
        self.reconnect.agreed(now.at);
        // The peer may have been faster than its description.
        if endpoint.connection(self.session).is_some() {
            self.reconnect.up();
            endpoint.press_on(self.session, now);
            return None;
        }
        self.place.map(Remedy::Connect)
    }

    /// The session is bound to a connection.
    pub fn up(&mut self) {
        self.reconnect.up();
    }

    /// The connection was lost, or could not be opened, or the peer does not know the session on it.
    pub fn lost(&mut self, endpoint: &mut Endpoint, now: Now) -> Option<Remedy> {
        let step = self.reconnect.lost(self.place.is_some(), now.at);
        self.remedy(step, endpoint, now)
    }

    /// A new path leaves in an offer, or in the answer to one: the session has this URI from now on.
    pub fn renew(&mut self, local: MsrpUri, endpoint: &mut Endpoint, now: Now) {
        endpoint.renew(self.session, local, now);
        self.agreed = None;
        self.place = None;
        self.reconnect.offered();
    }

    /// The same path leaves in a further offer.
    pub fn reoffered(&mut self) {
        self.agreed = None;
        self.reconnect.offered();
    }

    /// A new path cannot be offered at this moment, because another request is open in the dialog.
    pub fn postpone(&mut self, now: Now) {
        self.reconnect.postpone(now.at);
    }

    /// The peer has refused an offer of ours.
    pub fn refused(&mut self, endpoint: &mut Endpoint, now: Now) -> Option<Remedy> {
        let step = self.reconnect.refused(self.place.is_some(), now.at);
        self.remedy(step, endpoint, now)
    }

    /// A message wants to go: what had been given up is tried once more.
    pub fn wanted(&mut self, endpoint: &mut Endpoint, now: Now) -> Option<Remedy> {
        let step = self.reconnect.wanted(self.place.is_some(), now.at);
        self.remedy(step, endpoint, now)
    }

    /// When something is due.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.reconnect.poll_timeout()
    }

    /// What is due. To be called until it is `None`.
    pub fn handle_timeout(&mut self, endpoint: &mut Endpoint, now: Now) -> Option<Remedy> {
        let step = self.reconnect.handle_timeout(self.place.is_some(), now.at);
        self.remedy(step, endpoint, now)
    }

    fn remedy(&self, step: Option<Step>, endpoint: &mut Endpoint, now: Now) -> Option<Remedy> {
        Some(match step? {
            Step::Connect => Remedy::Connect(self.place?),
            Step::Offer => Remedy::Offer,
            Step::GiveUp => {
                endpoint.fail_waiting(self.session, now);
                Remedy::GiveUp
            }
            Step::End => Remedy::End,
        })
    }
}

/// Where we would connect to; `None` when the place is a name, which nobody here looks up.
fn place(ours: &MsrpMedia, theirs: &MsrpMedia) -> Option<SocketAddr> {
    let place = sdp::connect_to(theirs, ours.cema && theirs.cema)?;
    match place.host {
        Host::Ip(ip) => Some(SocketAddr::new(ip, place.port)),
        Host::Name(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use sdp::{SessionDescription, Setup};
    use wire::{Entropy, Timestamp};

    use super::*;
    use crate::{Options, SessionOptions};

    const NOW: Now = Now { at: Instant::ZERO, utc: Timestamp::from_micros(0) };

    fn media(id: &str, setup: Setup, cema: &str) -> MsrpMedia {
        let text = format!(
            "v=0\r\no=- 1 1 IN IP4 10.0.0.1\r\ns=-\r\nc=IN IP4 10.0.0.7\r\nt=0 0\r\nm=message 4000 TCP/MSRP *\r\n\
             a=accept-types:*\r\na=path:msrp://10.0.0.1:2855/{id};tcp\r\na=setup:{setup}\r\n{cema}"
        );
        SessionDescription::parse(text.as_bytes()).unwrap().msrp().unwrap().clone()
    }

    fn link(ours: &MsrpMedia) -> (Link, Endpoint) {
        let mut endpoint = Endpoint::new(Options::default(), Entropy::from_seed(1));
        let session = endpoint.open(SessionOptions::new(ours.path[0].clone(), Vec::new())).unwrap();
        (Link::new(session), endpoint)
    }

    #[test]
    fn the_side_that_setup_names_connects_to_the_path_or_with_cema_to_the_connection_line() {
        let path = "10.0.0.1:2855".parse().unwrap();
        let line = "10.0.0.7:4000".parse().unwrap();
        let cema = "a=msrp-cema\r\n";
        for (offer, answer, we, both, expected) in [
            (Setup::ActPass, Setup::Passive, Connector::Offerer, cema, Some(line)),
            (Setup::ActPass, Setup::Passive, Connector::Answerer, cema, None),
            (Setup::ActPass, Setup::Active, Connector::Answerer, cema, Some(line)),
            (Setup::ActPass, Setup::Active, Connector::Offerer, cema, None),
            (Setup::Active, Setup::Passive, Connector::Offerer, cema, Some(line)),
            (Setup::Passive, Setup::Active, Connector::Answerer, "", Some(path)),
            (Setup::Active, Setup::Passive, Connector::Offerer, "", Some(path)),
            (Setup::Passive, Setup::Active, Connector::Offerer, "", None),
        ] {
            let (ours, theirs) = if we == Connector::Offerer { (offer, answer) } else { (answer, offer) };
            let (ours, theirs) = (media("ours", ours, both), media("theirs", theirs, both));
            let (mut link, mut endpoint) = link(&ours);
            let remedy = link.join(&ours, &theirs, we, &mut endpoint, NOW);
            assert_eq!(remedy, expected.map(Remedy::Connect), "{offer} {answer} {we:?}");
            assert_eq!(link.join(&ours, &theirs, we, &mut endpoint, NOW), None, "a refresh changes nothing");
        }
    }

    #[test]
    fn without_cema_at_the_other_side_the_offer_is_made_again_and_then_the_path_counts() {
        let (offer, answer) = (media("ours", Setup::ActPass, "a=msrp-cema\r\n"), media("theirs", Setup::Passive, ""));
        let (mut link, mut endpoint) = link(&offer);
        let we = Connector::Offerer;
        assert_eq!(link.join(&offer, &answer, we, &mut endpoint, NOW), Some(Remedy::OfferWithoutCema));
        link.reoffered();
        let again = media("ours", Setup::ActPass, "");
        let to_path = Some(Remedy::Connect("10.0.0.1:2855".parse().unwrap()));
        assert_eq!(link.join(&again, &answer, we, &mut endpoint, NOW), to_path);

        // The other side does not want to hear of it again: the path is all there is.
        let (mut link, mut endpoint) = self::link(&offer);
        link.join(&offer, &answer, we, &mut endpoint, NOW);
        link.reoffered();
        assert_eq!(link.refused(&mut endpoint, NOW), to_path);
    }
}
