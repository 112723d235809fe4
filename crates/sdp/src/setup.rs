use std::fmt;

/// The value of `a=setup`: who opens the connection (RFC 4145 §4; for MSRP RFC 6135).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Setup {
    /// Connects.
    Active,
    /// Waits for the connection.
    Passive,
    /// Offers both; the answerer chooses.
    ActPass,
    /// No connection for the time being.
    HoldConn,
}

impl Setup {
    pub(crate) fn parse(value: &str) -> Option<Setup> {
        Some(match value.parse::<sdp_types::Setup>().ok()? {
            sdp_types::Setup::Active => Setup::Active,
            sdp_types::Setup::Passive => Setup::Passive,
            sdp_types::Setup::ActPass => Setup::ActPass,
            sdp_types::Setup::HoldConn => Setup::HoldConn,
        })
    }

    /// What answers an offer that said `offered`, where we may choose and would like `wished` (RFC 4145 §4.1).
    ///
    /// `None`: the offer had no `a=setup`, so its writer connects (RFC 4975 §5.4) and the answer has none either.
    pub fn answer(offered: Option<Setup>, wished: Setup) -> Option<Setup> {
        Some(match (offered?, wished) {
            (Setup::HoldConn, _) | (_, Setup::HoldConn) => Setup::HoldConn,
            (Setup::Active, _) | (Setup::ActPass, Setup::Passive | Setup::ActPass) => Setup::Passive,
            (Setup::Passive, _) | (Setup::ActPass, Setup::Active) => Setup::Active,
        })
    }
}

impl Setup {
    /// The value of the attribute.
    pub fn token(self) -> &'static str {
        match self {
            Setup::Active => "active",
            Setup::Passive => "passive",
            Setup::ActPass => "actpass",
            Setup::HoldConn => "holdconn",
        }
    }
}

impl fmt::Display for Setup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.token())
    }
}

/// The side that opens the connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Connector {
    /// Who wrote the offer.
    Offerer,
    /// Who wrote the answer.
    Answerer,
}

/// Who connects after an offer and its answer; `None` when one of them holds the connection.
///
/// RFC 4975 §5.4 lets the offerer connect; RFC 6135 keeps that whenever one side does not write `a=setup`, because that side
/// does not know the attribute. Pairs that no correct answerer writes (active twice, passive twice, actpass in an answer) are
/// settled by the offer where it is definite, else by the same rule.
pub fn connector(offer: Option<Setup>, answer: Option<Setup>) -> Option<Connector> {
    match (offer, answer) {
        (Some(Setup::HoldConn), _) | (_, Some(Setup::HoldConn)) => None,
        (None, _) | (_, None) | (Some(Setup::Active), _) => Some(Connector::Offerer),
        (Some(Setup::Passive), Some(_)) | (Some(Setup::ActPass), Some(Setup::Active)) => Some(Connector::Answerer),
        (Some(Setup::ActPass), Some(Setup::Passive | Setup::ActPass)) => Some(Connector::Offerer),
    }
}

#[cfg(test)]
mod tests {
    use super::Setup::{ActPass, Active, HoldConn, Passive};
    use super::*;

    #[test]
    fn an_answer_complements_the_offer_and_takes_the_wish_where_it_is_free() {
        for (offered, wished, answered) in [
            (Some(Active), Active, Some(Passive)),
            (Some(Active), Passive, Some(Passive)),
            (Some(Active), ActPass, Some(Passive)),
            (Some(Passive), Active, Some(Active)),
            (Some(Passive), Passive, Some(Active)),
            (Some(Passive), ActPass, Some(Active)),
            (Some(ActPass), Active, Some(Active)),
            (Some(ActPass), Passive, Some(Passive)),
            (Some(ActPass), ActPass, Some(Passive)),
            (Some(HoldConn), Active, Some(HoldConn)),
            (Some(ActPass), HoldConn, Some(HoldConn)),
            (None, Active, None),
            (None, Passive, None),
        ] {
            assert_eq!(Setup::answer(offered, wished), answered, "{offered:?} {wished:?}");
        }
    }

    #[test]
    fn every_pair_of_setups_has_one_connector() {
        let (offerer, answerer) = (Some(Connector::Offerer), Some(Connector::Answerer));
        // Columns: answer without a=setup, active, passive, actpass, holdconn.
        for (offer, row) in [
            (None, [offerer, offerer, offerer, offerer, None]),
            (Some(Active), [offerer, offerer, offerer, offerer, None]),
            (Some(Passive), [offerer, answerer, answerer, answerer, None]),
            (Some(ActPass), [offerer, answerer, offerer, offerer, None]),
            (Some(HoldConn), [None, None, None, None, None]),
        ] {
            for (answer, expected) in
                [None, Some(Active), Some(Passive), Some(ActPass), Some(HoldConn)].into_iter().zip(row)
            {
                assert_eq!(connector(offer, answer), expected, "{offer:?} {answer:?}");
            }
        }
    }

    #[test]
    fn what_we_answer_says_the_same_to_both_sides() {
        for offered in [Active, Passive, ActPass] {
            for wished in [Active, Passive] {
                let answered = Setup::answer(Some(offered), wished);
                let answerer_connects = connector(Some(offered), answered) == Some(Connector::Answerer);
                assert_eq!(answerer_connects, answered == Some(Active), "{offered:?} {wished:?}");
            }
        }
    }
}
