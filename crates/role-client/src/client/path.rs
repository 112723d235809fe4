//! The MSRP path of a session when it changes: by the peer's wish, or because a connection is to be made again.

use msrp::Remedy;
use sdp::Connector;
use sip::{Method, Response};
use sip_tx::Incoming;
use sip_ua::{Body, Headers, SessionKey};
use wire::Now;

use super::Client;
use crate::invite::SessionMedia;

impl Client {
    /// A refresh without change: the description stays as it is (RFC 3264 §8). An offer with a new path is answered with a
    /// new path of ours: the connection was lost, and is made again.
    pub(super) fn on_refresh(&mut self, key: SessionKey, incoming: &Incoming, now: Now) {
        let offer = Body::of(&incoming.request).filter(Body::is_sdp);
        let Some(media) = self.sessions.get(&key).map(|chat| chat.media.clone()) else { return };
        let has_moved = offer.as_ref().is_some_and(|offer| self.messages.has_moved(key, &offer.bytes));
        let media = if has_moved { self.renewed(&media) } else { media };
        let body = match &offer {
            Some(offer) => media.answer(&offer.bytes),
            None if incoming.request.method() == Method::Invite => Some(media.offer()),
            None => None,
        };
        let status = if offer.is_some() && body.is_none() { 488 } else { 200 };
        let has_moved = has_moved && status == 200;
        if has_moved {
            self.messages.renew(key, media.uri(), now);
            self.note(key, |chat| chat.media = media);
        }
        let sdp = body.clone().map(Body::sdp);
        let answered = self.ua.answer(&mut self.stack, key, incoming.tx, status, &Headers::new(), sdp, now);
        if let (true, Ok(()), Some(ours), Some(theirs)) = (has_moved, answered, body, offer) {
            self.messages.agree(key, &ours, &theirs.bytes, Connector::Answerer, now);
        }
    }

    /// A new path for a session, behind the relay if there is one.
    fn renewed(&mut self, media: &SessionMedia) -> SessionMedia {
        media.renewed(self.stack.entropy()).behind(self.messages.relay_path())
    }

    /// Does what SIP can do about a session's connection.
    pub(super) fn remedy(&mut self, key: SessionKey, remedy: Remedy, now: Now) {
        let Some(media) = self.sessions.get(&key).map(|chat| chat.media.clone()) else { return };
        match remedy {
            // Without its relay the client has no path to offer; it may come back.
            Remedy::Offer if !self.messages.is_reachable() => self.messages.postpone(key, now),
            Remedy::Offer => {
                let media = self.renewed(&media);
                if self.offer_path(key, &media, now) {
                    self.messages.renew(key, media.uri(), now);
                }
            }
            Remedy::OfferWithoutCema => {
                let media = media.again_without_cema();
                if self.offer_path(key, &media, now) {
                    self.messages.reoffered(key, now);
                }
            }
            Remedy::End => {
                self.note(key, |chat| chat.unreachable = true);
                self.ua.close(&mut self.stack, key, &Headers::new(), now);
                self.messages.remove(key, now);
            }
            Remedy::Connect(_) | Remedy::GiveUp => {}
        }
    }

    /// Offers a path by re-INVITE; false when another request is open in the dialog.
    fn offer_path(&mut self, key: SessionKey, media: &SessionMedia, now: Now) -> bool {
        let offer = Some(Body::sdp(media.offer()));
        let sent = self.ua.modify(&mut self.stack, key, Method::Invite, Headers::new(), offer, now);
        if sent.is_err() {
            self.messages.postpone(key, now);
            return false;
        }
        tracing::debug!("a new MSRP path is offered");
        self.note(key, |chat| chat.media = media.clone());
        true
    }

    pub(super) fn on_path_answered(&mut self, key: SessionKey, response: &Response, now: Now) {
        if !response.is_success() {
            return self.messages.refused(key, now);
        }
        if let Some(ours) = self.sessions.get(&key).map(|chat| chat.media.offer()) {
            self.messages.agree(key, &ours, response.body(), Connector::Offerer, now);
        }
    }
}
