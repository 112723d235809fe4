//! What is read, and what is refused with which words.

mod negative;

use std::sync::LazyLock;

use cpm::{MediaPathPolicy, Reason};
use engine::Authority;
use role_core::Subscriber;

use super::*;
use crate::serve::DEFAULTS;

/// A core and a participating function with what they need and no more.
const SMALL: &str = r#"
[[core]]
name = "core-a"
listen = ["udp:127.0.0.1:0", "tcp:127.0.0.1:0"]
domain = "Home1.test"
pf = "sip:127.0.0.1:7060;transport=tcp"
subscribers = { alice = { password = "${PASSWORD}" } }
numbers = { "+15550002" = "sip:bob@home2.test" }
peers = [{ domain = "home2.test", uri = "sip:127.0.0.1:5062" }]

[[pf]]
name = "pf-a"
listen = ["udp:127.0.0.1:7060"]
msrp = "127.0.0.1:2855"
media_path = "auto"
auto = ["recording"]
trusted = ["127.0.0.1"]
profile = { max_sessions = 3 }
profiles = { "sip:carol@home1.test" = { records_messages = true } }
"#;

fn read(text: &str) -> Result<Plan, ConfigError> {
    Plan::read(text, &|name| (name == "PASSWORD").then(|| "a\"b".to_owned()), &file)
}

/// Files that are there: a certificate, its key, the authority, and something else.
fn file(name: &str) -> std::io::Result<Vec<u8>> {
    static FILES: LazyLock<[String; 3]> = LazyLock::new(|| {
        let authority = Authority::new().unwrap();
        let (certificate, key) = authority.issue_pem(&["home1.test".to_owned()], false).unwrap();
        [certificate, key, authority.pem()]
    });
    match name {
        "/etc/duologue/node.pem" => Ok(FILES[0].clone().into_bytes()),
        "/etc/duologue/node.key" => Ok(FILES[1].clone().into_bytes()),
        "/etc/duologue/ca.pem" => Ok(FILES[2].clone().into_bytes()),
        _ => Err(std::io::ErrorKind::NotFound.into()),
    }
}

/// The refusal of [`SMALL`] with one thing changed.
fn refusal(from: &str, to: &str) -> String {
    assert!(SMALL.contains(from), "{from}");
    read(&SMALL.replacen(from, to, 1)).unwrap_err().to_string()
}

#[test]
fn a_small_configuration_is_read() {
    let plan = read(SMALL).unwrap();
    let (core, pf) = (&plan.cores[0], &plan.pfs[0]);
    assert_eq!(core.addresses.sip.len(), 2);
    assert_eq!(core.role.domain, "home1.test");
    assert_eq!(core.role.subscribers["alice"], Subscriber::new("a\"b"));
    let trigger = core.role.trigger.as_ref().unwrap();
    assert_eq!(trigger.terminating, "sip:term@127.0.0.1:7060;transport=tcp");
    assert_eq!(core.role.peers[0].addr.to_string(), "127.0.0.1:5062");
    assert_eq!(pf.role.media_path, MediaPathPolicy::Auto(vec![Reason::Recording]));
    assert_eq!(pf.addresses.msrp[0].1.port(), 2855);
    // What one user does not say is as for all users.
    let carol = &pf.role.profiles["sip:carol@home1.test"];
    assert_eq!((carol.records_messages, carol.max_sessions), (true, 3));
    assert_eq!(plan.summary(), "1 core, 1 participating function");
    // A variable that nobody has set is no key.
    for (key, has_key) in [("key = \"\"", false), ("key = \"${NONE:-}\"", false), ("key = \"0123456789abcdef\"", true)]
    {
        let plan = read(&SMALL.replace("trusted =", &format!("{key}\ntrusted ="))).unwrap();
        assert_eq!(plan.pfs[0].role.route_key.is_some(), has_key, "{key}");
    }
}

#[test]
fn what_survives_the_process_has_a_folder_and_a_file() {
    let keep = |more: &str| read(&SMALL.replace("auto = [", &format!("{more}\nauto = [")));
    let pf = keep("journal = \"/j\"\nrecords = \"/r\"\nrecords_size = 1000").unwrap().pfs.remove(0).role;
    assert_eq!(pf.journal, Some("/j".into()));
    let records = pf.records.unwrap();
    assert_eq!((records.path.to_str(), records.max_octets, records.files), (Some("/r"), 1_000, 10));
    let refused = |more: &str| keep(more).unwrap_err().to_string();
    assert!(refused("records_size = 1").starts_with("pf[0].records_size is of no use without a file; name a file"));
    assert!(refused("records = \"/r\"\nrecords_files = 0").starts_with("pf[0].records_files is 0; write at least 1"));
    assert!(refused("journal = \"/r\"\nrecords = \"/r\"").starts_with("pf[0].records is taken; give every"));
}

#[test]
fn what_does_not_fit_together_is_named_with_its_cure() {
    let cases = [
        ("name = \"pf-a\"", "name = \"core-a\"", "pf[0].name is `core-a`, as that of another node; give every node"),
        (
            "udp:127.0.0.1:0",
            "127.0.0.1:0",
            "core[0].listen[0] is `127.0.0.1:0`, whose transport is none of udp, tcp and tls",
        ),
        (
            "tcp:127.0.0.1:0",
            "tcp:localhost:0",
            "core[0].listen[1] is `tcp:localhost:0`, whose address cannot be read; write",
        ),
        (
            "tcp:127.0.0.1:0",
            "tls:127.0.0.1:0",
            "core[0].listen[1] asks for TLS without a certificate; write `certificate`",
        ),
        (
            "udp:127.0.0.1:0",
            "tcp:127.0.0.1:2855",
            "pf[0] listens on tcp 127.0.0.1:2855, which is taken; give every listener",
        ),
        (
            "\"tcp:127.0.0.1:0\"",
            "{ address = \"sctp:127.0.0.1:0\", trust = \"access\" }",
            "core[0].listen[1].address is `sctp:127.0.0.1:0`, whose transport is none",
        ),
        (
            "\"tcp:127.0.0.1:0\"",
            "{ address = \"udp:127.0.0.2:0\", trust = \"access\" }",
            "core[0].listen[1].trust is not that of `udp:127.0.0.1:0`, over the same transport; give all",
        ),
        (
            "\"udp:127.0.0.1:7060\"",
            "{ address = \"udp:127.0.0.1:7060\", trust = \"access\" }",
            "pf[0].listen[0].trust lets in whom a participating function refuses in any case; write \"core\"",
        ),
        ("Home1.test", "sip:home1", "core[0].domain is `sip:home1`; write a domain name"),
        ("sip:127.0.0.1:7060;transport=tcp", "sip:pf.test", "core[0].pf is `sip:pf.test`, whose host is a name"),
        (
            "sip:127.0.0.1:7060;",
            "sip:x@127.0.0.1;",
            "core[0].pf is `sip:x@127.0.0.1;transport=tcp`, which has a user part",
        ),
        ("${PASSWORD}", "${NOWHERE}", "core[0].subscribers.alice.password needs the environment variable NOWHERE"),
        ("sip:bob@home2.test", "bob", "core[0].numbers.\"+15550002\" is `bob`; write an address-of-record"),
        (
            "sip:127.0.0.1:5062",
            "127.0.0.1:5062",
            "core[0].peers[0].uri is `127.0.0.1:5062`, which is no SIP URI; write one",
        ),
        ("[\"recording\"]", "[]", "pf[0].auto names no reason to be on the media path; name a reason"),
        ("\"auto\"", "\"off\"", "pf[0].auto has reasons that are never asked for; set media_path to \"auto\""),
        ("[\"127.0.0.1\"]", "[]", "pf[0].trusted is empty, so every request would be refused; name the addresses"),
    ];
    for (from, to, expected) in cases {
        let error = refusal(from, to);
        assert!(error.starts_with(expected), "{to}: {error}");
        assert!(error.contains("; "), "no cure: {error}");
    }
}

#[test]
fn a_database_has_tls_as_its_url_says_and_nothing_weaker_than_it_looks() {
    let store = |parameters: &str| read(&format!("[store]\nurl = 'postgres://u@h/d?{parameters}'\n{SMALL}"));
    for parameters in ["", "sslmode=disable", "sslmode=verify-full&sslrootcert=/etc/duologue/ca.pem"] {
        assert!(store(parameters).is_ok(), "{parameters}");
    }
    for (parameters, expected) in [
        (
            "sslmode=allow",
            "store.url has sslmode=allow, which is none of disable, prefer, require, verify-ca and verify-full; write one",
        ),
        ("sslmode=verify-full", "store.url has sslmode=verify-full and no sslrootcert; add `sslrootcert=FILE`"),
        (
            "sslmode=prefer&sslrootcert=/etc/duologue/ca.pem",
            "store.url has an sslrootcert that sslmode=prefer would not look at; write `sslmode=verify-full`",
        ),
        ("sslrootcert=system", "store.url has sslrootcert=system, which is not looked up; name a file"),
        (
            "sslrootcert=/none.pem",
            "store.url names /none.pem in sslrootcert, which cannot be read: entity not found; name a file in PEM",
        ),
        (
            "sslrootcert=/etc/duologue/node.key",
            "store.url names /etc/duologue/node.key in sslrootcert, which has no certificate",
        ),
    ] {
        let refused = store(parameters).unwrap_err().to_string();
        assert!(refused.starts_with(expected), "{refused}");
    }
}

#[test]
fn a_wrong_key_is_shown_in_its_line_with_the_right_ones() {
    let unknown = refusal("trusted =", "trust =");
    assert!(unknown.contains("unknown field `trust`") && unknown.contains("`trusted`"), "{unknown}");
    assert!(unknown.contains("trust = [\"127.0.0.1\"]") && unknown.contains("line 17"), "{unknown}");
    let missing = refusal("media_path = \"auto\"", "");
    assert!(missing.contains("missing field `media_path`"), "{missing}");
    let kind = refusal("max_sessions = 3", "max_sessions = \"3\"");
    assert!(kind.contains("max_sessions") && kind.contains("invalid type: string"), "{kind}");
    let place = refusal("media_path = \"auto\"", "media_path = \"maybe\"");
    assert!(place.contains("unknown variant `maybe`, expected one of `off`, `on`, `auto`"), "{place}");
    let uri = refusal("pf = \"sip:127.0.0.1:7060;transport=tcp\"", "pf = { originating = \"sip:o@127.0.0.1\" }");
    assert!(uri.contains("a table with the URIs `originating` and `terminating`"), "{uri}");
    assert!(read("[[core]").unwrap_err().to_string().contains("line 1"));
    assert_eq!(read("").unwrap_err().to_string(), "the file names no node; add a [[core]] or a [[pf]]");
}

const TLS: &str = "tls = { certificate = \"/etc/duologue/node.pem\", key = \"/etc/duologue/node.key\", ca = \"/etc/duologue/ca.pem\" }";

#[test]
fn tls_is_for_sip_with_a_certificate_and_for_msrp_also_without() {
    let secured = SMALL
        .replace("tcp:127.0.0.1:0", "tls:127.0.0.1:5061")
        .replace("domain = \"Home1.test\"", &format!("domain = \"home1.test\"\n{TLS}"))
        .replace(
            "msrp = \"127.0.0.1:2855\"",
            "msrp_tls = \"127.0.0.1:2856\"\nmsrp = \"127.0.0.1:2855\"\nmsrp_transport = \"tls\"",
        );
    let plan = read(&secured).unwrap();
    let (core, pf) = (&plan.cores[0], &plan.pfs[0]);
    assert_eq!(core.addresses.sip[1].0, Transport::Tls);
    assert!(core.tls.as_ref().unwrap().trusts_somebody());
    // Offered first.
    assert_eq!(pf.addresses.msrp.iter().map(|(_, addr)| addr.port()).collect::<Vec<_>>(), [2856, 2855]);
    assert!(pf.tls.is_some() && read(SMALL).unwrap().pfs[0].tls.is_none());

    let refused = |from: &str, to: &str| read(&secured.replacen(from, to, 1)).unwrap_err().to_string();
    for (from, to, expected) in [
        ("node.pem", "none.pem", "core[0].tls.certificate names /etc/duologue/none.pem, which cannot be read: "),
        (
            "node.key",
            "ca.pem",
            "core[0].tls.key names /etc/duologue/ca.pem, which has no private key in it; name a PEM",
        ),
        (
            "ca.pem",
            "node.key",
            "core[0].tls.ca names /etc/duologue/node.key, which has no certificate in it; name a PEM",
        ),
        (
            "ca = \"/etc/duologue/ca.pem\"",
            "client_auth = \"required\"",
            "core[0].tls.client_auth would refuse everybody",
        ),
        (
            "msrp_tls = \"127.0.0.1:2856\"",
            "",
            "pf[0].msrp_transport is `tls`, for which nothing listens; write `msrp_tls`",
        ),
        ("msrp_tls = \"127.0.0.1:2856\"", "msrp_tls = \"x\"", "pf[0].msrp_tls is `x`; write an IP address and a port"),
        (
            "127.0.0.1:2856",
            "127.0.0.1:5061",
            "pf[0] listens on tls 127.0.0.1:5061, which is taken; give every listener",
        ),
    ] {
        let error = refused(from, to);
        assert!(error.starts_with(expected), "{to}: {error}");
    }
    let silent = refusal("msrp = \"127.0.0.1:2855\"", "");
    assert!(silent.starts_with("pf[0].msrp is missing; write an IP address"), "{silent}");
}

/// Every key that a table may have, as the reader itself says when it meets an unknown one.
fn keys(document: &str) -> Vec<String> {
    let error = read(document).unwrap_err().to_string();
    let (_, list) = error.split_once("expected one of ").or(error.split_once("expected ")).unwrap();
    list.lines().next().unwrap().split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

#[test]
fn every_key_is_documented_and_every_documented_key_is_read() {
    let tables = [
        "x = 1",
        "[admin]\nx = 1",
        "[admin]\ntokens = [{ x = 1 }]",
        "[store]\nx = 1",
        "[hep]\nx = 1",
        "[capture]\nx = 1",
        "[traces]\nx = 1",
        "[[core]]\nx = 1",
        "[[pf]]\nx = 1",
        "[[core]]\n[core.subscribers]\na = { x = 1 }",
        "[[core]]\n[[core.peers]]\nx = 1",
        "[[core]]\n[core.registration]\nx = 1",
        "[[core]]\n[core.tls]\nx = 1",
        "[[pf]]\n[pf.profile]\nx = 1",
    ];
    for key in tables.into_iter().flat_map(keys) {
        let (value, tables) = (format!("{key} = "), [format!("[{key}]"), format!("[[{key}]]")]);
        let inside = [format!("[{key}."), format!(".{key}]"), format!(".{key}.")];
        let forms: Vec<_> = tables.into_iter().chain(inside).chain([value]).collect();
        assert!(forms.iter().any(|form| DEFAULTS.contains(form)), "{key} is not documented");
    }
    // The other way round: with every comment that is a setting made one, the file is still right.
    let is_setting = |line: &str| {
        line.split_once(" = ")
            .is_some_and(|(key, _)| !key.is_empty() && key.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'))
    };
    let is_table = |line: &str| line.starts_with('[') && line.ends_with(']');
    let uncomment = |line: &str| {
        let setting = line.strip_prefix("# ").filter(|rest| is_setting(rest) || is_table(rest));
        setting.unwrap_or(line).to_owned() + "\n"
    };
    let whole =
        DEFAULTS.replace("pf = \"sip:127.0.0.1:5070\"\n", "").replace("media_path = \"off\"", "media_path = \"auto\"");
    let whole: String = whole.lines().map(uncomment).collect();
    assert!(whole.contains("\nudp_path_mtu = ") && whole.contains("\npf = {") && whole.contains("\nauto = ["));
    read(&whole).unwrap();
}
