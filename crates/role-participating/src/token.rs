use cpm::SessionCase;
use sip::{Request, Uri};
use sip_proxy::{Preprocessed, RouteKey};
use wire::Entropy;

/// The mark in our Record-Route: by it, requests of a dialog find the served user's session again. The session case is in it
/// as well, so that a restarted node still knows on which side it stands; and it is keyed, so that nobody outside the dialog
/// can make one up.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Token {
    pub(crate) case: SessionCase,
    /// Tells apart what has the same Call-ID and tag: an INVITE that comes by two ways, or once more with credentials.
    pub(crate) nonce: u32,
    pub(crate) mark: u64,
}

impl Token {
    /// The token of the session that `invite` asks for.
    pub(crate) fn new(case: SessionCase, invite: &Request, key: &RouteKey, dice: &mut Entropy) -> Token {
        let nonce = dice.u64() as u32;
        Token { case, nonce, mark: key.mark(invite, scope(case, nonce)) }
    }

    /// The user part of the Record-Route URI.
    pub(crate) fn user(self) -> String {
        format!("{}-{:08x}{:016x}", self.case.as_str(), self.nonce, self.mark)
    }

    /// The token that a request brings back.
    pub(crate) fn of(pre: &Preprocessed) -> Option<Token> {
        pre.own().find_map(|uri| Token::parse(&uri))
    }

    /// Whether we wrote it, for the dialog of this request.
    pub(crate) fn is_of(self, request: &Request, key: &RouteKey) -> bool {
        key.knows(self.mark, request, scope(self.case, self.nonce))
    }

    /// Reads a Route URI of ours.
    fn parse(uri: &Uri<'_>) -> Option<Token> {
        let user = std::str::from_utf8(uri.user()?).ok()?;
        let (case, hex) = user.split_once('-').filter(|(_, hex)| hex.len() == 24)?;
        let nonce = u32::from_str_radix(hex.get(..8)?, 16).ok()?;
        let mark = u64::from_str_radix(hex.get(8..)?, 16).ok()?;
        Some(Token { case: SessionCase::from_bytes(case.as_bytes())?, nonce, mark })
    }
}

fn scope(case: SessionCase, nonce: u32) -> u64 {
    let side = match case {
        SessionCase::Originating => 1,
        SessionCase::Terminating => 2,
    };
    side << 32 | u64::from(nonce)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_comes_back_from_the_route() {
        let token = Token { case: SessionCase::Terminating, nonce: 0x12, mark: 0x1234 };
        let uri = format!("sip:{}@127.0.0.1:7060;transport=tcp;lr", token.user());
        assert_eq!(Token::parse(&Uri::parse(uri.as_bytes()).unwrap()), Some(token));
        for text in [
            "sip:term@h",
            "sip:term-12@h",
            "sip:other-000000120000000000001234@h",
            "sip:h;lr",
            "sip:orig-00000012000000000000123g@h",
        ] {
            assert_eq!(Token::parse(&Uri::parse(text.as_bytes()).unwrap()), None, "{text}");
        }
    }
}
