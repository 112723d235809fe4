use cpm::SessionCase;
use sip::{Request, Uri};
use sip_proxy::{Preprocessed, RouteKey};
use wire::{Entropy, hex};

/// The mark in our Record-Route: by it, requests of a dialog find the served user's session again. The session case is in it
/// as well, so that a restarted node still knows on which side it stands; and it is keyed, so that nobody outside the dialog
/// can make one up.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Token {
    pub(crate) case: SessionCase,
    /// Names the session: 16 bits that are drawn, for an INVITE may come by two ways, or once more with credentials; then 48
    /// bits of the mark.
    pub(crate) id: u64,
}

/// The part of the identifier that is the mark.
const MARK: u64 = (1 << 48) - 1;

impl Token {
    /// The token of the session that `invite` asks for.
    pub(crate) fn new(case: SessionCase, invite: &Request, key: &RouteKey, dice: &mut Entropy) -> Token {
        let drawn = dice.u64() & !MARK;
        Token { case, id: drawn | key.mark(invite, scope(case, drawn)) & MARK }
    }

    /// The user part of the Record-Route URI.
    pub(crate) fn user(self) -> String {
        let mut user = String::with_capacity(21);
        user.push_str(self.case.as_str());
        user.push('-');
        user.push_str(std::str::from_utf8(&hex(self.id)).unwrap_or_default());
        user
    }

    /// The token that a request brings back.
    pub(crate) fn of(pre: &Preprocessed) -> Option<Token> {
        pre.own().find_map(|uri| Token::parse(&uri))
    }

    /// Whether we wrote it, for the dialog of this request.
    pub(crate) fn is_of(self, request: &Request, key: &RouteKey) -> bool {
        key.marks(request, scope(self.case, self.id & !MARK)).iter().any(|mark| mark & MARK == self.id & MARK)
    }

    /// Reads a Route URI of ours.
    fn parse(uri: &Uri<'_>) -> Option<Token> {
        let user = std::str::from_utf8(uri.user()?).ok()?;
        let (case, id) = user.split_once('-')?;
        let id = u64::from_str_radix(id, 16).ok().filter(|_| id.len() == 16)?;
        Some(Token { case: SessionCase::from_bytes(case.as_bytes())?, id })
    }
}

/// What the mark is made of besides the dialog's own facts.
const fn scope(case: SessionCase, drawn: u64) -> u64 {
    match case {
        SessionCase::Originating => drawn | 1,
        SessionCase::Terminating => drawn | 2,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_comes_back_from_the_route() {
        let token = Token { case: SessionCase::Terminating, id: 0x1234 };
        let uri = format!("sip:{}@127.0.0.1:7060;transport=tcp;lr", token.user());
        assert_eq!(Token::parse(&Uri::parse(uri.as_bytes()).unwrap()), Some(token));
        for text in
            ["sip:term@h", "sip:term-12@h", "sip:other-0000000000001234@h", "sip:h;lr", "sip:orig-000000000000123g@h"]
        {
            assert_eq!(Token::parse(&Uri::parse(text.as_bytes()).unwrap()), None, "{text}");
        }
    }
}
