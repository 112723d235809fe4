//! Who a standalone message says that it is from (RFC 3862 §4.1), which receivers show to people.

use cpim::Envelope;
use cpm::{Refusal, ServedUser, SessionCase, aor};
use sip::{Name, Request, Uri};

/// Refuses a message that one of our users sends under the name of somebody else. It names the user, by any identity that
/// the core has asserted, or nobody, as CPM clients do.
pub(crate) fn must_be_from(request: &Request, served: &ServedUser) -> Result<(), Refusal> {
    const CPIM: &[u8] = b"message/cpim";
    let kind = request.header(Name::ContentType).unwrap_or_default();
    let is_cpim = kind.get(..CPIM.len()).is_some_and(|kind| kind.eq_ignore_ascii_case(CPIM));
    if served.case == SessionCase::Terminating || !is_cpim {
        return Ok(());
    }
    // Others may read what we cannot.
    let envelope = Envelope::parse_start(request.body()).map_err(|_| refusal(400, "CPIM not understood"))?;
    let Some(from) = envelope.from() else { return Ok(()) };
    let from = Uri::parse(from.uri().as_bytes()).map_err(|_| refusal(400, "CPIM From not understood"))?;
    let said = aor(&from);
    let asserted = request.addresses(Name::PAssertedIdentity).filter_map(Result::ok).any(|one| aor(&one.uri()) == said);
    if is_nobody(&from) || asserted || said == served.aor {
        return Ok(());
    }
    Err(refusal(403, "CPIM From is somebody else"))
}

const fn refusal(status: u16, warning: &'static str) -> Refusal {
    Refusal { status, warning: Some(warning) }
}

/// RFC 3323 §4.1.1.3: no user is at a host below `invalid`.
fn is_nobody(uri: &Uri<'_>) -> bool {
    let host = uri.host().to_ascii_lowercase();
    uri.is_sip() && (host == b"invalid" || host.ends_with(b".invalid"))
}
