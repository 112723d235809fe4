use crate::Headers;

/// A refusal: the status that a request is answered with, and why. Not an error of ours but an answer to the peer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Reject {
    /// The status, 300 to 699.
    pub status: u16,
    /// What the answer says besides (Unsupported, Retry-After, Warning, …).
    pub headers: Headers,
}

impl Reject {
    /// A refusal without further words.
    pub const fn new(status: u16) -> Reject {
        Reject { status, headers: Headers::new() }
    }

    /// A refusal that says more.
    #[must_use]
    pub fn with(self, name: sip::Name, value: impl AsRef<[u8]>) -> Reject {
        Reject { headers: self.headers.with(name, value), ..self }
    }
}
