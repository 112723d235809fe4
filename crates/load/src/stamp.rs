use msrp::MessageId;
use wire::Instant;

/// What the identifier of a message says: relays and B2BUAs keep it, so the receiver needs no table to know.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Stamp {
    /// When it was due.
    pub(crate) due: Instant,
    /// Its number in its session, from 1.
    pub(crate) number: u64,
}

const DIGITS: &[u8; 16] = b"0123456789abcdef";

impl Stamp {
    /// As an identifier of 32 characters, all that RFC 4975 §9 allows. It begins with a letter, which `ident` wants.
    pub(crate) fn message_id(self) -> Option<MessageId> {
        let text = [hex(self.due.as_nanos() | 0xa << 60), hex(self.number)];
        MessageId::parse(std::str::from_utf8(text.as_flattened()).ok()?)
    }

    /// Reads an identifier; `None` if it is none of ours.
    pub(crate) fn of(id: &MessageId) -> Option<Stamp> {
        let (due, number) = id.as_str().split_at_checked(16).filter(|(_, number)| number.len() == 16)?;
        let due = u64::from_str_radix(due, 16).ok()? & !(0xf << 60);
        Some(Stamp { due: Instant::from_nanos(due), number: u64::from_str_radix(number, 16).ok()? })
    }
}

fn hex(n: u64) -> [u8; 16] {
    std::array::from_fn(|i| DIGITS[(n >> (60 - 4 * i) & 0xf) as usize])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identifier_says_what_it_was_made_of() {
        let stamp = Stamp { due: Instant::from_nanos(123_456_789_000), number: 42 };
        let id = stamp.message_id().unwrap();
        assert_eq!((id.as_str().len(), Stamp::of(&id)), (32, Some(stamp)));
        assert_eq!(Stamp::of(&MessageId::parse("of-somebody-else").unwrap()), None);
    }
}
