use super::DeltaSeconds;
use crate::scan::Scan;
use crate::{Params, ParseError};

/// The state word of Subscription-State.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SubscriptionStatus {
    /// Accepted and authorised.
    Active,
    /// Received, not yet authorised.
    Pending,
    /// Over.
    Terminated,
    /// Another word: an extension.
    Other,
}

/// Subscription-State (RFC 6665 §8.2.3).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SubscriptionState<'a> {
    /// The state.
    pub status: SubscriptionStatus,
    /// Why it ended.
    pub reason: Option<&'a [u8]>,
    /// Seconds that remain.
    pub expires: Option<u32>,
    /// Seconds to wait before subscribing again.
    pub retry_after: Option<u32>,
}

impl<'a> SubscriptionState<'a> {
    /// Reads a Subscription-State value.
    pub fn parse(value: &'a [u8]) -> Result<SubscriptionState<'a>, ParseError> {
        let mut scan = Scan::new(value);
        scan.skip_space();
        let word = scan.token()?;
        let at = scan.at();
        let params = Params::parse(scan.rest()).map_err(|e| e.shifted(at))?;
        let is = |text: &str| word.eq_ignore_ascii_case(text.as_bytes());
        let status = match () {
            () if is("active") => SubscriptionStatus::Active,
            () if is("pending") => SubscriptionStatus::Pending,
            () if is("terminated") => SubscriptionStatus::Terminated,
            () => SubscriptionStatus::Other,
        };
        let seconds = |name| params.get(name).map(DeltaSeconds::parse).transpose().map_err(|e| e.shifted(at));
        Ok(SubscriptionState {
            status,
            reason: params.get("reason"),
            expires: seconds("expires")?.map(|s| s.0),
            retry_after: seconds("retry-after")?.map(|s| s.0),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_of_a_subscription() {
        let state = SubscriptionState::parse(b"active;expires=3600").unwrap();
        assert_eq!((state.status, state.expires), (SubscriptionStatus::Active, Some(3600)));
        let state = SubscriptionState::parse(b"Terminated ;reason=probation;retry-after=5").unwrap();
        assert_eq!((state.reason, state.retry_after), (Some(&b"probation"[..]), Some(5)));
        assert_eq!(state.status, SubscriptionStatus::Terminated);
        assert_eq!(SubscriptionState::parse(b"pending").unwrap().status, SubscriptionStatus::Pending);
        assert_eq!(SubscriptionState::parse(b"waiting").unwrap().status, SubscriptionStatus::Other);
        for text in ["", ";expires=1", "active;expires=x", "active expires"] {
            assert!(SubscriptionState::parse(text.as_bytes()).is_err(), "{text}");
        }
    }
}
