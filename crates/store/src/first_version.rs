//! A database as the first version left it, in the tests of the backends.

use wire::Redacted;

use crate::{Hashes, Store, Subscriber};

/// A user, as the first version wrote it.
pub(crate) const USER: &str = "INSERT INTO subscriber (aor, md5, sha256, number, profile)
    VALUES ('sip:dave@home1.test', '01', '23', '+15550001', NULL)";

/// The user is there at every opening and logs in by the short name; as user@domain with the next password.
pub(crate) fn is_brought_up_to_date(open: impl Fn() -> Box<dyn Store>) {
    let hashes =
        |md5: &str, sha256: &str| Hashes { md5: Redacted(md5.to_owned()), sha256: Redacted(sha256.to_owned()) };
    let (aor, number) = ("sip:dave@home1.test".to_owned(), Some("+15550001".to_owned()));
    let dave = Subscriber { aor, secret: hashes("01", "23"), private: None, number, profile: None };
    for _ in 0..2 {
        assert_eq!(open().subscribers(), Ok(vec![dave.clone()]));
    }
    let anew = Subscriber { secret: hashes("45", "67"), private: Some(hashes("89", "ab")), ..dave };
    open().put_subscriber(&anew).unwrap();
    assert_eq!(open().subscribers(), Ok(vec![anew]));
}
