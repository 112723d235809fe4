use std::ops::Range;

macro_rules! names {
    ($($variant:ident $text:literal $($compact:literal)?;)*) => {
        /// The name of a header field that somebody here interprets; every other one is [`Name::Other`].
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        #[repr(u8)]
        pub enum Name {
            $(#[doc = concat!("`", $text, "`")] $variant,)*
            /// A name that only the message's bytes know.
            Other,
        }

        const TABLE: &[(Name, &str, Option<u8>)] = &[$((Name::$variant, $text, names!(@compact $($compact)?)),)*];
    };
    (@compact $compact:literal) => { Some($compact) };
    (@compact) => { None };
}

names! {
    Via "Via" b'v';
    From "From" b'f';
    To "To" b't';
    CallId "Call-ID" b'i';
    CSeq "CSeq";
    Contact "Contact" b'm';
    MaxForwards "Max-Forwards";
    Route "Route";
    RecordRoute "Record-Route";
    ContentLength "Content-Length" b'l';
    ContentType "Content-Type" b'c';
    ContentEncoding "Content-Encoding" b'e';
    ContentDisposition "Content-Disposition";
    Expires "Expires";
    MinExpires "Min-Expires";
    Require "Require";
    ProxyRequire "Proxy-Require";
    Supported "Supported" b'k';
    Unsupported "Unsupported";
    Allow "Allow";
    Accept "Accept";
    AcceptContact "Accept-Contact" b'a';
    RejectContact "Reject-Contact" b'j';
    RequestDisposition "Request-Disposition" b'd';
    UserAgent "User-Agent";
    Server "Server";
    Date "Date";
    Timestamp "Timestamp";
    Subject "Subject" b's';
    Event "Event" b'o';
    AllowEvents "Allow-Events" b'u';
    SubscriptionState "Subscription-State";
    WwwAuthenticate "WWW-Authenticate";
    Authorization "Authorization";
    ProxyAuthenticate "Proxy-Authenticate";
    ProxyAuthorization "Proxy-Authorization";
    AuthenticationInfo "Authentication-Info";
    SessionExpires "Session-Expires" b'x';
    MinSe "Min-SE";
    Reason "Reason";
    Warning "Warning";
    RetryAfter "Retry-After";
    ReferTo "Refer-To" b'r';
    ReferredBy "Referred-By" b'b';
    Replaces "Replaces";
    Path "Path";
    ServiceRoute "Service-Route";
    PPreferredIdentity "P-Preferred-Identity";
    PAssertedIdentity "P-Asserted-Identity";
    PPreferredService "P-Preferred-Service";
    PAssertedService "P-Asserted-Service";
    PServedUser "P-Served-User";
    PCalledPartyId "P-Called-Party-ID";
    PAssociatedUri "P-Associated-URI";
    PVisitedNetworkId "P-Visited-Network-ID";
    PAccessNetworkInfo "P-Access-Network-Info";
    PChargingVector "P-Charging-Vector";
    PChargingFunctionAddresses "P-Charging-Function-Addresses";
    Privacy "Privacy";
    ConversationId "Conversation-ID";
    ContributionId "Contribution-ID";
    InReplyToContributionId "InReplyTo-Contribution-ID";
    SessionReplaces "Session-Replaces";
    RAck "RAck";
    RSeq "RSeq";
    MaxBreadth "Max-Breadth";
    MimeVersion "MIME-Version";
    InReplyTo "In-Reply-To";
    Priority "Priority";
    Organization "Organization";
}

/// How many names there are, [`Name::Other`] included.
pub(crate) const COUNT: usize = TABLE.len() + 1;

const SLOTS: usize = 256;
const EMPTY: u8 = u8::MAX;

const fn hash(len: usize, first: u8, last: u8) -> usize {
    (len * 37 + (first | 0x20) as usize * 11 + (last | 0x20) as usize * 3) % SLOTS
}

/// Open addressing over (length, first letter, last letter), computed by the compiler.
static HASHED: [u8; SLOTS] = {
    let mut slots = [EMPTY; SLOTS];
    let mut i = 0;
    while i < TABLE.len() {
        let text = TABLE[i].1.as_bytes();
        let mut at = hash(text.len(), text[0], text[text.len() - 1]);
        while slots[at] != EMPTY {
            at = (at + 1) % SLOTS;
        }
        slots[at] = i as u8;
        i += 1;
    }
    slots
};

/// The names in lower case and of one length, so that two are compared by a few wide instructions.
const LONGEST: usize = 32;

static PADDED: [[u8; LONGEST]; TABLE.len()] = {
    let mut padded = [[0; LONGEST]; TABLE.len()];
    let mut i = 0;
    while i < TABLE.len() {
        let text = TABLE[i].1.as_bytes();
        let mut at = 0;
        while at < text.len() {
            padded[i][at] = text[at].to_ascii_lowercase();
            at += 1;
        }
        i += 1;
    }
    padded
};

/// For each length, what keeps so many octets of a window.
static KEPT: [[u8; LONGEST]; LONGEST + 1] = {
    let mut masks = [[0; LONGEST]; LONGEST + 1];
    let mut len = 0;
    while len <= LONGEST {
        let mut at = 0;
        while at < len {
            masks[len][at] = u8::MAX;
            at += 1;
        }
        len += 1;
    }
    masks
};

fn find(padded: &[u8; LONGEST], len: usize) -> Name {
    let mut at = hash(len, padded[0], padded[len - 1]);
    while let Some(text) = PADDED.get(usize::from(HASHED[at])) {
        let (name, long, _) = TABLE[usize::from(HASHED[at])];
        if text == padded && long.len() == len {
            return name;
        }
        at = (at + 1) % SLOTS;
    }
    Name::Other
}

static COMPACT: [Name; 128] = {
    let mut names = [Name::Other; 128];
    let mut i = 0;
    while i < TABLE.len() {
        if let Some(letter) = TABLE[i].2 {
            names[letter as usize] = TABLE[i].0;
            names[letter.to_ascii_uppercase() as usize] = TABLE[i].0;
        }
        i += 1;
    }
    names
};

impl Name {
    /// Reads a header field name, long or compact, in any case (RFC 3261 §7.3.1, §7.3.3).
    pub fn from_bytes(text: &[u8]) -> Name {
        match text {
            [] => Name::Other,
            [letter] => COMPACT.get(usize::from(*letter)).copied().unwrap_or(Name::Other),
            long if long.len() <= LONGEST => {
                let mut padded = [0; LONGEST];
                padded[..long.len()].copy_from_slice(long);
                padded.make_ascii_lowercase();
                find(&padded, long.len())
            }
            _ => Name::Other,
        }
    }

    /// Reads the name that stands at `range` of a head. What follows it in memory is compared as well, and blanked out
    /// before: that spares a copy of unknown length.
    pub(crate) fn at(head: &[u8], range: Range<usize>) -> Name {
        let len = range.len();
        match head.get(range.start..range.start + LONGEST).and_then(|window| window.first_chunk::<LONGEST>()) {
            Some(window) if (2..=LONGEST).contains(&len) => {
                let mut padded = *window;
                padded.make_ascii_lowercase();
                padded.iter_mut().zip(&KEPT[len]).for_each(|(octet, kept)| *octet &= kept);
                find(&padded, len)
            }
            Some(_) | None => Name::from_bytes(&head[range]),
        }
    }

    /// The long form, as it is printed. Empty for [`Name::Other`].
    pub fn as_str(self) -> &'static str {
        TABLE.get(self as usize).map_or("", |(_, text, _)| text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_found_in_every_spelling() {
        for (name, text, compact) in TABLE {
            assert_eq!(Name::from_bytes(text.as_bytes()), *name);
            assert_eq!(Name::from_bytes(text.to_uppercase().as_bytes()), *name);
            let line = format!("\r\n{text}: {:40}", "x");
            assert_eq!(Name::at(line.as_bytes(), 2..2 + text.len()), *name);
            let shorter = &text.as_bytes()[..text.len() - 1];
            assert_eq!(Name::at(line.as_bytes(), 2..1 + text.len()), Name::from_bytes(shorter));
            if let Some(letter) = compact {
                assert_eq!(Name::from_bytes(&[*letter]), *name);
            }
        }
    }

    #[test]
    fn strangers_are_other() {
        for text in ["", "z", "Vi", "X-Via", "Call_ID", "\u{e9}"] {
            assert_eq!(Name::from_bytes(text.as_bytes()), Name::Other, "{text}");
        }
    }
}
