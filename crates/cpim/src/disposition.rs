use std::fmt;

/// One kind of receipt that a sender can ask for (RFC 5438 §6, and `interworking` of CPM).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Disposition {
    /// `positive-delivery`: it reached the recipient.
    PositiveDelivery,
    /// `negative-delivery`: it did not.
    NegativeDelivery,
    /// `display`: it was shown.
    Display,
    /// `processing`: an intermediary took it, as a store-and-forward server does.
    Processing,
    /// `interworking`: it left for SMS or MMS (CPM).
    Interworking,
}

impl Disposition {
    /// All of them, in the order in which they are printed.
    pub const ALL: [Disposition; 5] = [
        Disposition::PositiveDelivery,
        Disposition::NegativeDelivery,
        Disposition::Display,
        Disposition::Processing,
        Disposition::Interworking,
    ];

    /// The word on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Disposition::PositiveDelivery => "positive-delivery",
            Disposition::NegativeDelivery => "negative-delivery",
            Disposition::Display => "display",
            Disposition::Processing => "processing",
            Disposition::Interworking => "interworking",
        }
    }

    const fn bit(self) -> u8 {
        1 << self as u8
    }
}

/// Which receipts a sender asks for: the value of imdn.Disposition-Notification.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct Dispositions(u8);

impl Dispositions {
    /// None.
    pub const NONE: Dispositions = Dispositions(0);

    /// What CPM clients ask for: delivered, failed, displayed.
    pub const USUAL: Dispositions = Dispositions::NONE
        .with(Disposition::PositiveDelivery)
        .with(Disposition::NegativeDelivery)
        .with(Disposition::Display);

    /// With one more.
    pub const fn with(self, disposition: Disposition) -> Dispositions {
        Dispositions(self.0 | disposition.bit())
    }

    /// Those of both.
    pub const fn union(self, other: Dispositions) -> Dispositions {
        Dispositions(self.0 | other.0)
    }

    /// Whether that receipt is asked for.
    pub const fn contains(self, disposition: Disposition) -> bool {
        self.0 & disposition.bit() != 0
    }

    /// Whether none is asked for.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Reads a comma-separated list. Words that are not known ask for nothing that we could send, parameters change nothing.
    pub fn parse(value: &str) -> Dispositions {
        value.split(',').fold(Dispositions::NONE, |all, entry| {
            let word = entry.split(';').next().unwrap_or_default().trim_ascii();
            let known = Disposition::ALL.into_iter().find(|d| d.as_str().eq_ignore_ascii_case(word));
            known.map_or(all, |d| all.with(d))
        })
    }
}

impl fmt::Display for Dispositions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        for disposition in Disposition::ALL.into_iter().filter(|d| self.contains(*d)) {
            write!(f, "{separator}{}", disposition.as_str())?;
            separator = ", ";
        }
        Ok(())
    }
}

impl fmt::Debug for Dispositions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Dispositions({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_set_is_read_back() {
        for bits in 0..32 {
            let set = Dispositions(bits);
            assert_eq!(Dispositions::parse(&set.to_string()), set);
        }
        assert_eq!(Dispositions::parse("Display ;x=1,, fax").to_string(), "display");
    }
}
