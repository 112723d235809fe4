use super::Urn;
use crate::scan::{Scan, trim};
use crate::{Params, ParseError};

/// Feature tags as parameters of Contact, Accept-Contact or Reject-Contact (RFC 3840 §9, RFC 3841 §9).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FeatureSet<'a> {
    params: Params<'a>,
}

/// Feature tags that have no leading `+` (RFC 3840 §9, base-tags).
const BASE_TAGS: [&str; 19] = [
    "audio",
    "automata",
    "class",
    "duplex",
    "data",
    "control",
    "mobility",
    "description",
    "events",
    "priority",
    "methods",
    "schemes",
    "application",
    "video",
    "language",
    "type",
    "isfocus",
    "actor",
    "text",
];

impl<'a> FeatureSet<'a> {
    /// The feature tags among these parameters.
    pub const fn new(params: Params<'a>) -> FeatureSet<'a> {
        FeatureSet { params }
    }

    /// Tags and values, in order; other parameters are left out.
    pub fn iter(&self) -> impl Iterator<Item = (&'a [u8], &'a [u8])> + use<'a> {
        self.params.iter().filter(|(name, _)| {
            name.first() == Some(&b'+') || BASE_TAGS.iter().any(|t| t.as_bytes().eq_ignore_ascii_case(name))
        })
    }

    /// Whether the tag is there.
    pub fn has(&self, tag: &str) -> bool {
        self.iter().any(|(name, _)| name.eq_ignore_ascii_case(tag.as_bytes()))
    }

    /// The comma-separated values of a tag. A tag that occurs twice, which it should not, has the values of both.
    pub fn values<'t>(&self, tag: &'t str) -> impl Iterator<Item = &'a [u8]> + use<'a, 't> {
        self.iter()
            .filter(move |(name, _)| name.eq_ignore_ascii_case(tag.as_bytes()))
            .flat_map(|(_, value)| value.split(|b| *b == b',').map(trim))
            .filter(|value| !value.is_empty())
    }

    /// The communication services (`+g.3gpp.icsi-ref`, 3GPP TS 24.229 §7.9.2).
    pub fn icsis(&self) -> impl Iterator<Item = Urn<'a>> + use<'a> {
        self.values("+g.3gpp.icsi-ref").map(Urn::new)
    }

    /// The applications (`+g.3gpp.iari-ref`, 3GPP TS 24.229 §7.9.3).
    pub fn iaris(&self) -> impl Iterator<Item = Urn<'a>> + use<'a> {
        self.values("+g.3gpp.iari-ref").map(Urn::new)
    }

    /// Whether this communication service is among them.
    pub fn has_icsi(&self, urn: &str) -> bool {
        self.icsis().any(|icsi| icsi == *urn)
    }
}

/// One entry of Accept-Contact or Reject-Contact (RFC 3841 §9.2, §9.3).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AcceptContact<'a> {
    /// The features asked for.
    pub features: FeatureSet<'a>,
    /// A contact that contradicts them is not tried.
    pub require: bool,
    /// A contact that does not mention them counts as not having them.
    pub explicit: bool,
}

impl<'a> AcceptContact<'a> {
    /// Reads one entry: `*` and parameters.
    pub fn parse(value: &'a [u8]) -> Result<AcceptContact<'a>, ParseError> {
        let mut scan = Scan::new(value);
        scan.skip_space();
        scan.expect(b'*', "*")?;
        let at = scan.at();
        let params = Params::parse(scan.rest()).map_err(|e| e.shifted(at))?;
        Ok(AcceptContact {
            features: FeatureSet::new(params),
            require: params.has("require"),
            explicit: params.has("explicit"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SESSION: &str = "urn:urn-7:3gpp-service.ims.icsi.oma.cpm.session";
    const MSG: &str = "urn:urn-7:3gpp-service.ims.icsi.oma.cpm.msg";

    fn read(text: &str) -> AcceptContact<'_> {
        AcceptContact::parse(text.as_bytes()).unwrap_or_else(|e| panic!("{text}: {e}"))
    }

    #[test]
    fn services_asked_for() {
        let cases = [
            ("*;+g.3gpp.icsi-ref=\"urn%3Aurn-7%3A3gpp-service.ims.icsi.oma.cpm.session\"", true, false, false, false),
            (
                "*;+g.3gpp.ICSI-ref=\"urn:urn-7:3gpp-service.ims.icsi.oma.cpm.session\";require",
                true,
                false,
                true,
                false,
            ),
            (
                "* ; +g.3gpp.icsi-ref=\"urn%3Aurn-7%3A3gpp-service.ims.icsi.oma.cpm.msg, \
                 urn%3aurn-7%3a3gpp-service.ims.icsi.oma.cpm.SESSION\" ;require ;explicit",
                true,
                true,
                true,
                true,
            ),
            (
                "*;+g.3gpp.icsi-ref=\"urn%3Aurn-7%3A3gpp-service.ims.icsi.oma.cpm.session.group\"",
                false,
                false,
                false,
                false,
            ),
            ("*", false, false, false, false),
        ];
        for (text, session, msg, require, explicit) in cases {
            let entry = read(text);
            assert_eq!((entry.features.has_icsi(SESSION), entry.features.has_icsi(MSG)), (session, msg), "{text}");
            assert_eq!((entry.require, entry.explicit), (require, explicit), "{text}");
        }
    }

    #[test]
    fn feature_tags_and_what_is_none() {
        let entry = read(
            "*;+g.gsma.rcs.cpm.pager-large;+g.gsma.rcs.botversion=\"#=1,#=2\";audio;q=0.5;Methods=\"INVITE,BYE\";x=y;\
             +g.3gpp.iari-ref=\"urn%3Aurn-7%3A3gpp-application.ims.iari.rcs.fthttp\"",
        );
        let names: Vec<_> = entry.features.iter().map(|(n, _)| String::from_utf8_lossy(n).into_owned()).collect();
        let expected =
            ["+g.gsma.rcs.cpm.pager-large", "+g.gsma.rcs.botversion", "audio", "Methods", "+g.3gpp.iari-ref"];
        assert_eq!(names, expected);
        assert!(entry.features.has("+G.GSMA.rcs.cpm.pager-large"));
        assert_eq!(entry.features.values("methods").collect::<Vec<_>>(), [b"INVITE".as_slice(), b"BYE"]);
        assert_eq!(entry.features.iaris().next().unwrap(), "urn:urn-7:3gpp-application.ims.iari.rcs.fthttp");
    }

    #[test]
    fn entries_begin_with_a_star() {
        for text in ["", "+g.3gpp.icsi-ref=\"x\"", "<sip:a@b>", "*x", "*;", "*;+g=\"x"] {
            assert!(AcceptContact::parse(text.as_bytes()).is_err(), "{text}");
        }
    }
}
