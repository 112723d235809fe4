use sip::Name;

/// What a PF on the media path carries from one leg to the other as it stands: all that means something from end to end.
/// Conversation-ID and its kin are the only keys that the two ends of a session share, since Call-ID and tags differ per leg.
pub const END_TO_END: [Name; 15] = [
    Name::ConversationId,
    Name::ContributionId,
    Name::InReplyToContributionId,
    Name::SessionReplaces,
    Name::PAssertedIdentity,
    Name::PAssertedService,
    Name::Privacy,
    Name::Subject,
    Name::AcceptContact,
    Name::RejectContact,
    Name::RequestDisposition,
    Name::ReferredBy,
    Name::Date,
    Name::Priority,
    Name::PChargingVector,
];
