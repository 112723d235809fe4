use cpm::SessionCase;
use sip::Uri;

/// The original dialog identifier: a Route of the core's own below that of the application server, by which a request that
/// comes back finds its place in the service chain again (3GPP TS 24.229 §5.4.3.2). The state is in the URI, so a proxy and
/// a B2BUA that copies the Route come back alike.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Odi {
    pub(crate) case: SessionCase,
    /// The served user's address-of-record.
    pub(crate) served: String,
}

const USER: &str = "odi";

impl Odi {
    /// The Route URI; `host` is the core's own address.
    pub(crate) fn uri(&self, host: &str) -> String {
        let served: String = self.served.bytes().map(|b| format!("{b:02x}")).collect();
        format!("sip:{USER}@{host};lr;c={};u={served}", self.case.as_str())
    }

    /// Reads a Route URI of ours.
    pub(crate) fn parse(uri: &Uri<'_>) -> Option<Odi> {
        if uri.user() != Some(USER.as_bytes()) {
            return None;
        }
        let case = SessionCase::from_bytes(uri.param("c")?)?;
        let hex = std::str::from_utf8(uri.param("u")?).ok()?;
        let bytes = (0..hex.len()).step_by(2).map(|i| u8::from_str_radix(hex.get(i..i + 2)?, 16).ok());
        let served = String::from_utf8(bytes.collect::<Option<Vec<u8>>>()?).ok()?;
        Some(Odi { case, served })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_odi_survives_the_way_to_the_application_server_and_back() {
        let odi = Odi { case: SessionCase::Terminating, served: "sip:bøb@home2.test".to_owned() };
        let text = odi.uri("127.0.0.1:5060");
        assert_eq!(Odi::parse(&Uri::parse(text.as_bytes()).unwrap()), Some(odi));
    }

    #[test]
    fn what_is_no_odi_is_none() {
        for text in ["sip:odi@h;c=x;u=00", "sip:odi@h;c=orig;u=0", "sip:odi@h;c=orig;u=zz", "sip:odi@h", "sip:x@h;c=orig;u=61", "sip:odi@h;c=orig;u=ff"] {
            assert_eq!(Odi::parse(&Uri::parse(text.as_bytes()).unwrap()), None, "{text}");
        }
    }
}
