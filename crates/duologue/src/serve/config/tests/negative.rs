//! One wrong value for every key there is: it is named, and what to write instead.

use std::collections::BTreeSet;

use toml::{Table, Value};

use super::{SMALL, TLS, keys, read};

/// A key, a wrong value, and what is said of it: the beginning of our own words, or what the TOML reader says under the line.
type Wrong = (&'static str, &'static str, &'static str);

/// A table of the file, the document that makes the reader list its keys, and a wrong value for each of them.
const WRONG: [(&str, &str, &[Wrong]); 15] = [
    (
        "",
        "x = 1",
        &[
            ("core", "1", "invalid type: integer `1`, expected a sequence"),
            ("pf", "{}", "invalid type: map, expected a sequence"),
            ("admin", "true", "invalid type: boolean `true`, expected struct Admin"),
            ("hep", "'127.0.0.1:9060'", "invalid type: string \"127.0.0.1:9060\", expected struct Hep"),
            ("capture", "true", "invalid type: boolean `true`, expected struct Capture"),
            (
                "traces",
                "'http://127.0.0.1:4318'",
                "invalid type: string \"http://127.0.0.1:4318\", expected struct Traces",
            ),
            ("store", "'duologue.db'", "invalid type: string \"duologue.db\", expected struct Store"),
        ],
    ),
    (
        "admin",
        "[admin]\nx = 1",
        &[
            ("listen", "'localhost:9090'", "admin.listen is `localhost:9090`; write an IP address and a port"),
            ("metrics", "'127.0.0.1:9090'", "admin.metrics is the address of `listen`; leave it out"),
            ("token_file", "1", "invalid type: integer `1`, expected path string"),
            ("tokens", "'secret'", "invalid type: string \"secret\", expected a sequence"),
        ],
    ),
    (
        "admin/tokens/0",
        "[admin]\ntokens = [{ x = 1 }]",
        &[
            ("name", "''", "admin.tokens[0].name is ``; give every token a name"),
            ("role", "'root'", "unknown variant `root`, expected `read` or `operate`"),
            ("sha256", "'secret'", "admin.tokens[0].sha256 "),
        ],
    ),
    (
        "store",
        "[store]\nx = 1",
        &[
            ("url", "'mysql://localhost'", "store.url "),
            ("take_over", "1", "store.take_over is 1 s, which a busy node may need; write 5"),
        ],
    ),
    (
        "hep",
        "[hep]\nx = 1",
        &[
            ("address", "'homer:9060'", "hep.address is `homer:9060`; write an IP address and a port"),
            ("capture_id", "-1", "invalid value: integer `-1`, expected u32"),
            ("password", "''", "hep.password is empty or too long; write up to 255"),
            ("contents", "'yes'", "invalid type: string \"yes\", expected a boolean"),
        ],
    ),
    (
        "capture",
        "[capture]\nx = 1",
        &[
            ("octets", "4096", "capture.octets is 4096; write a number from 1048576 to 1073741824"),
            ("contents", "1", "invalid type: integer `1`, expected a boolean"),
        ],
    ),
    (
        "traces",
        "[traces]\nx = 1",
        &[(
            "endpoint",
            "'https://127.0.0.1:4318/v1/traces'",
            "traces.endpoint is `https://127.0.0.1:4318/v1/traces`, and",
        )],
    ),
    (
        "core/0",
        "[[core]]\nx = 1",
        &[
            ("name", "''", "core[0].name is ``; use letters"),
            (
                "listen",
                "['sctp:127.0.0.1:5060']",
                "core[0].listen[0] is `sctp:127.0.0.1:5060`, whose transport is none",
            ),
            ("max_transactions", "0", "core[0].max_transactions is 0; allow at least one"),
            ("udp_path_mtu", "70000", "core[0].udp_path_mtu is no MTU; write a number from 576"),
            ("key", "'short'", "core[0].key is too short; write at least 16 characters"),
            ("overload_control", "'yes'", "invalid type: string \"yes\", expected a boolean"),
            ("tls", "{ key = '/etc/duologue/node.key' }", "core[0].tls."),
            ("domain", "'home1 test'", "core[0].domain is `home1 test`; write a domain name"),
            ("subscribers", "['alice']", "invalid type: sequence, expected a map"),
            ("numbers", "{ '555' = 'sip:bob@home2.test' }", "core[0].numbers.\"555\" "),
            ("pf", "'tel:+15550001'", "core[0].pf is `tel:+15550001`"),
            ("peers", "'home2.test'", "invalid type: string \"home2.test\", expected a sequence"),
            ("registration", "600", "invalid type: integer `600`, expected struct Registration"),
        ],
    ),
    (
        "core/0/tls",
        "[[core]]\n[core.tls]\nx = 1",
        &[
            ("certificate", "'none.pem'", "core[0].tls.certificate names none.pem, which cannot be read"),
            ("key", "'/etc/duologue/ca.pem'", "core[0].tls.key names /etc/duologue/ca.pem, which has no private key"),
            ("ca", "'/etc/duologue/node.key'", "core[0].tls.ca names /etc/duologue/node.key, which has no certificate"),
            ("client_auth", "'never'", "unknown variant `never`, expected `asked` or `required`"),
        ],
    ),
    (
        "core/0/subscribers/alice",
        "[[core]]\n[core.subscribers]\na = { x = 1 }",
        &[
            ("password", "''", "core[0].subscribers.alice.password is empty; give every user"),
            ("number", "'15550001'", "core[0].subscribers.alice.number is `15550001`; write a number in global"),
        ],
    ),
    (
        "core/0/peers/0",
        "[[core]]\n[[core.peers]]\nx = 1",
        &[
            ("domain", "'sip:home2.test'", "core[0].peers[0].domain is `sip:home2.test`; write a domain name"),
            ("uri", "'sip:home2.test'", "core[0].peers[0].uri is `sip:home2.test`, whose host is a name"),
        ],
    ),
    (
        "core/0/registration",
        "[[core]]\n[core.registration]\nx = 1",
        &[
            ("min_expires", "9999", "core[0].registration contradicts"),
            ("max_expires", "1", "core[0].registration contradicts"),
            ("default_expires", "9999", "core[0].registration contradicts"),
            ("max_contacts", "0", "core[0].registration.max_contacts is 0; "),
            ("digest", "'SHA-1'", "unknown variant `SHA-1`, expected one of `both`, `SHA-256`, `MD5`"),
        ],
    ),
    (
        "pf/0",
        "[[pf]]\nx = 1",
        &[
            ("name", "'p f'", "pf[0].name is `p f`; use letters"),
            ("listen", "[]", "pf[0].listen is empty; add an address"),
            ("max_transactions", "0", "pf[0].max_transactions is 0; allow at least one"),
            ("udp_path_mtu", "1", "pf[0].udp_path_mtu is no MTU; write a number from 576"),
            ("key", "'short'", "pf[0].key is too short; write at least 16 characters"),
            ("tls", "{ certificate = '/etc/duologue/node.pem' }", "pf[0].tls."),
            ("msrp", "'127.0.0.1'", "pf[0].msrp is `127.0.0.1`; write an IP address and a port"),
            ("msrp_tls", "'127.0.0.1'", "pf[0].msrp_tls is `127.0.0.1`; write an IP address and a port"),
            ("msrp_transport", "'tls'", "pf[0].msrp_transport is `tls`, for which nothing listens; write `msrp_tls`"),
            ("media_path", "'maybe'", "unknown variant `maybe`, expected one of `off`, `on`, `auto`"),
            ("auto", "['fun']", "pf[0].auto[0] is `fun`, which is unknown; use "),
            ("trusted", "['core-a']", "pf[0].trusted[0] is `core-a`; write an IP address"),
            (
                "hosts",
                "{ 'scscf.ims.test' = 'sip:172.22.0.20' }",
                "pf[0].hosts.\"scscf.ims.test\" is `sip:172.22.0.20`; write an IP",
            ),
            ("silent_session", "0", "pf[0].silent_session is 0; "),
            ("session_expires", "10", "pf[0].session_expires is 10 s, and the least that is taken is 90 s; "),
            ("min_se", "10", "pf[0].min_se is 10 s, less than RFC 4028 §5 allows; write 90"),
            ("journal", "true", "invalid type: boolean `true`, expected path string"),
            ("records", "7", "invalid type: integer `7`, expected path string"),
            ("records_size", "1", "pf[0].records_size is of no use without a file; name a file"),
            ("records_files", "1", "pf[0].records_files is of no use without a file; name a file"),
            ("media_grace", "-1", "invalid value: integer `-1`, expected u64"),
            ("max_sessions", "0", "pf[0].max_sessions is 0; allow at least one"),
            ("overload_control", "1", "invalid type: integer `1`, expected a boolean"),
            ("profile", "'all'", "invalid type: string \"all\", expected struct Profile"),
            ("profiles", "{ carol = {} }", "pf[0].profiles.\"carol\" is `carol`; write an address-of-record"),
        ],
    ),
    (
        "pf/0/profile",
        "[[pf]]\n[pf.profile]\nx = 1",
        &[
            ("services", "['sms']", "pf[0].profile.services[0] is `sms`, which is unknown; use session"),
            ("max_sessions", "-1", "invalid value: integer `-1`, expected usize"),
            ("blocked", "['eve']", "pf[0].profile.blocked[0] is `eve`; write an address-of-record"),
            ("records_messages", "'yes'", "invalid type: string \"yes\", expected a boolean"),
            ("defers_messages", "'yes'", "invalid type: string \"yes\", expected a boolean"),
            ("devices", "0", "pf[0].profile.devices is 0; "),
            ("max_message_size", "0", "pf[0].profile.max_message_size is 0; "),
            ("idle_session", "'5m'", "invalid type: string \"5m\", expected u64"),
            ("supervised", "'yes'", "invalid type: string \"yes\", expected a boolean"),
        ],
    ),
    (
        "pf/0/profiles/sip:carol@home1.test",
        "[[pf]]\n[pf.profiles]\na = { x = 1 }",
        &[
            ("services", "['sms']", "pf[0].profiles.\"sip:carol@home1.test\".services[0] is `sms`, which is unknown"),
            ("max_sessions", "'3'", "invalid type: string \"3\", expected usize"),
            ("blocked", "['eve']", "pf[0].profiles.\"sip:carol@home1.test\".blocked[0] is `eve`; write"),
            ("records_messages", "1", "invalid type: integer `1`, expected a boolean"),
            ("defers_messages", "1", "invalid type: integer `1`, expected a boolean"),
            ("devices", "0", "pf[0].profiles.\"sip:carol@home1.test\".devices is 0; "),
            ("max_message_size", "0", "pf[0].profiles.\"sip:carol@home1.test\".max_message_size is 0; "),
            ("idle_session", "-5", "invalid value: integer `-5`, expected u64"),
            ("supervised", "1", "invalid type: integer `1`, expected a boolean"),
        ],
    ),
];

/// A document in which every table is there, and nothing is wrong.
fn whole() -> Table {
    let mut document: Table = SMALL.replace("Home1.test\"", &format!("home1.test\"\n{TLS}")).parse().unwrap();
    let admin = "[admin]\nlisten = '127.0.0.1:9090'\ntoken_file = 'token'\n[store]\nurl = 'sqlite:db'\n[hep]\naddress = '127.0.0.1:9060'\n[capture]\n[traces]\nendpoint = 'http://127.0.0.1:4318/v1/traces'".parse::<Table>();
    document.extend(admin.unwrap());
    let token = format!("tokens = [{{ name = 'noc', role = 'read', sha256 = '{}' }}]", "0".repeat(64));
    document["admin"].as_table_mut().unwrap().extend(token.parse::<Table>().unwrap());
    document
}

/// Puts a value into a document; a number in the path is the place in a list.
fn put(document: &mut Value, path: &str, key: &str, value: Value) {
    let mut at = document;
    for step in path.split('/').filter(|step| !step.is_empty()) {
        at = match step.parse::<usize>() {
            Ok(i) => &mut at.as_array_mut().unwrap()[i],
            Err(_) => at.as_table_mut().unwrap().entry(step).or_insert(Value::Table(Table::new())),
        };
    }
    at.as_table_mut().unwrap().insert(key.to_owned(), value);
}

#[test]
fn a_wrong_value_of_every_key_is_named_and_what_to_write_instead() {
    let whole = Value::Table(whole());
    read(&toml::to_string(&whole).unwrap()).unwrap();
    let mut failed = Vec::new();
    for (table, lists_its_keys, wrong) in WRONG {
        let tested: BTreeSet<String> = wrong.iter().map(|(key, ..)| (*key).to_owned()).collect();
        assert_eq!(tested, keys(lists_its_keys).into_iter().collect(), "the keys of [{table}]");
        for (key, value, expected) in wrong {
            let value = format!("value = {value}").parse::<Table>().unwrap().remove("value").unwrap();
            let mut document = whole.clone();
            put(&mut document, table, key, value);
            let said = match read(&toml::to_string(&document).unwrap()) {
                Ok(_) => "it is taken".to_owned(),
                Err(error) => error.to_string(),
            };
            let is_ours = said.starts_with(expected) && said.contains("; ");
            let is_at_its_line = said.contains("line ") && said.contains(key) && said.contains(expected);
            if !is_ours && !is_at_its_line {
                failed.push(format!("{key} of [{table}]: {said}"));
            }
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}
