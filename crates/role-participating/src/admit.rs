//! What a participating function does with an INVITE of its served user: facts in, decision out.

use cpm::{MediaPath, MediaPathPolicy, Reasons, Refusal, ServedUser, Service, ServiceControl, SessionCase, aor};
use sdp::Glance;
use sip::{Name, Request};

/// A session that may be set up.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Admission {
    pub(crate) service: Service,
    pub(crate) media_path: MediaPath,
    /// The service identifier to write in place of P-Preferred-Service, if the core asserted none.
    pub(crate) assert_service: Option<Service>,
}

/// Decides on an INVITE that opens a session of `served`.
pub(crate) fn admit(
    request: &Request,
    served: &ServedUser,
    control: &ServiceControl,
    policy: &MediaPathPolicy,
) -> Result<Admission, Refusal> {
    // 1. The served user is known: P-Served-User, else the asserted originator or the target (see `ServedUser::of`).
    let profile = control.profile(&served.aor);

    // 2. The user must be entitled to the service. What the core asserted counts; where it asserted nothing, as the open
    //    cores do, the client's preference is authorised here and asserted in its place.
    let service = cpm::classify(request).unwrap_or(Service::Session);
    control.authorise(&served.aor, service)?;
    control.admit(&served.aor)?;
    let missing = !request.has(Name::PAssertedService) && request.has(Name::PPreferredService);
    let assert_service = missing.then_some(service);

    // 3. A session carries both identities from end to end.
    for (name, warning) in
        [(Name::ConversationId, "Conversation-ID missing"), (Name::ContributionId, "Contribution-ID missing")]
    {
        if request.header(name).is_none_or(<[u8]>::is_empty) {
            return Err(Refusal::missing_identity(warning));
        }
    }

    // 4. Policy: whom the served user does not want to hear from, and an offer of MSRP if there is an offer.
    let originator = request.addresses(Name::PAssertedIdentity).find_map(Result::ok).unwrap_or(request.from());
    if served.case == SessionCase::Terminating && profile.blocked.contains(&aor(&originator.uri())) {
        return Err(Refusal::blocked());
    }
    let offer = offer(request)?;

    // 5. On or off the media path, for the life of the session.
    let media_path = policy.decide(&Reasons::of(profile, offer.as_ref()));

    // 6. What we cannot carry to the other leg is not dropped silently: a body other than an offer stops here.
    if media_path == MediaPath::On && offer.is_none() && !request.body().is_empty() {
        return Err(Refusal { status: 415, warning: Some("Only application/sdp on the media path") });
    }
    Ok(Admission { service, media_path, assert_service })
}

/// The offer; `None` when the INVITE leaves the offer to the other side.
fn offer(request: &Request) -> Result<Option<Glance>, Refusal> {
    const SDP: &[u8] = b"application/sdp";
    let kind = request.header(Name::ContentType).unwrap_or_default();
    if request.body().is_empty() || !kind.get(..SDP.len()).is_some_and(|kind| kind.eq_ignore_ascii_case(SDP)) {
        return Ok(None);
    }
    let offer = sdp::glance(request.body()).map_err(|_| Refusal::not_acceptable("SDP not understood"))?;
    offer.map(Some).ok_or(Refusal::not_acceptable("No MSRP in the offer"))
}
