use std::fmt;

/// Why a participating function does not let a request pass: an outcome, not an error.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Refusal {
    /// The status code of the answer.
    pub status: u16,
    /// The text of a Warning header field with warn-code 399 (RFC 3261 §20.43), if the status alone does not say it.
    pub warning: Option<&'static str>,
}

impl Refusal {
    /// 403: the served user may not use the service.
    pub const fn not_authorised() -> Refusal {
        Refusal { status: 403, warning: Some("127 Service not authorised") }
    }

    /// 400: a CPM request without its identities.
    pub const fn missing_identity(warning: &'static str) -> Refusal {
        Refusal { status: 400, warning: Some(warning) }
    }

    /// 488: no MSRP in the offer.
    pub const fn not_acceptable(warning: &'static str) -> Refusal {
        Refusal { status: 488, warning: Some(warning) }
    }

    /// 403: no more sessions for this user.
    pub const fn too_many_sessions() -> Refusal {
        Refusal { status: 403, warning: Some("Too many sessions") }
    }

    /// 603: the served user has blocked the originator.
    pub const fn blocked() -> Refusal {
        Refusal { status: 603, warning: None }
    }

    /// The value of the Warning header field; `agent` is the host that adds it.
    pub fn warning_value(&self, agent: &str) -> Option<String> {
        self.warning.map(|text| format!("399 {agent} \"{text}\""))
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.status, self.warning.unwrap_or(sip::reason(self.status)))
    }
}
