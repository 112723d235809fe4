//! TLS to a PostgreSQL server, and what it must prove.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use interop::{Loopback, Postgres};
use net::Authority;
use store::{Locator, Store, StoreError};

/// A server with a certificate for one name.
struct Stage {
    lease: Loopback,
    server: Postgres,
    folder: tempfile::TempDir,
}

const NAME: &str = "db.test";

const CURE: &str = "; see `sslmode` and `sslrootcert` in the URL, and the certificate of the server";

const WHO: &str = "; see the user and the password in `url` of `[store]`, and whom the server lets in (pg_hba.conf)";

impl Stage {
    fn set() -> Stage {
        let (lease, folder) = (Loopback::lease(), tempfile::tempdir().unwrap());
        let authority = Authority::new().unwrap();
        let (certificate, key) = authority.issue_pem(&[NAME.to_owned()], false).unwrap();
        std::fs::write(folder.path().join("right.pem"), authority.pem()).unwrap();
        std::fs::write(folder.path().join("wrong.pem"), Authority::new().unwrap().pem()).unwrap();
        let server = Postgres::start_secured(lease.at(5432), &certificate, &key);
        Stage { lease, server, folder }
    }

    /// A name, and who may vouch for it; addresses are not looked up.
    fn open(&self, user: &str, host: &str, mode: &str, roots: &str) -> Result<std::sync::Arc<dyn Store>, StoreError> {
        let ip = self.lease.ip();
        let roots = self.folder.path().join(roots);
        let roots =
            if mode.starts_with("verify") { format!("&sslrootcert={}", roots.display()) } else { String::new() };
        let url = format!("postgres://{user}@{host}:5432/postgres?hostaddr={ip}&sslmode={mode}{roots}");
        store::open(&Locator::parse(&url).unwrap())
    }

    fn refusal(&self, host: &str, mode: &str, roots: &str) -> String {
        self.open("duologue", host, mode, roots).err().unwrap().to_string()
    }

    /// What the server says of our connections: whether each has TLS, and which.
    fn seen(&self) -> String {
        self.server.query(
            "SELECT DISTINCT ssl, version FROM pg_stat_ssl JOIN pg_stat_activity USING (pid)
             WHERE application_name = 'duologue'",
        )
    }
}

#[test]
fn a_server_is_asked_over_tls_once_it_has_proved_what_the_url_wants() {
    let stage = Stage::set();
    // 1. Its name, its authority, or nothing at all.
    for (host, mode) in [(NAME, "verify-full"), ("other.test", "verify-ca"), ("other.test", "require"), ("x", "prefer")]
    {
        let store = stage.open("duologue", host, mode, "right.pem").unwrap();
        store.ping().unwrap();
        assert_eq!(stage.seen(), "t|TLSv1.3", "{mode}");
        drop(store);
        let gone = interop::until(std::time::Duration::from_secs(20), || stage.seen().is_empty().then_some(()));
        assert!(gone.is_some(), "{}", stage.seen());
    }
    // 2. Without, when that is wanted.
    let store = stage.open("duologue", NAME, "disable", "").unwrap();
    store.ping().unwrap();
    assert_eq!(stage.seen(), "f|");
}

#[test]
fn a_server_that_proves_something_else_is_told_nothing() {
    let stage = Stage::set();
    let begins = "the database is not trusted: error performing TLS handshake: invalid peer certificate: ";
    // An authority of the same name, with a key of its own.
    for mode in ["verify-ca", "verify-full"] {
        assert_eq!(stage.refusal(NAME, mode, "wrong.pem"), format!("{begins}BadSignature{CURE}"));
    }
    let other = stage.refusal("other.test", "verify-full", "right.pem");
    assert!(other.starts_with(&format!("{begins}certificate not valid for name \"other.test\"")), "{other}");
    assert!(other.contains(NAME), "{other}");
    // The address is a name as well, and the certificate has none.
    let ip = stage.refusal(&stage.lease.ip().to_string(), "verify-full", "right.pem");
    assert!(ip.starts_with(begins), "{ip}");
    assert_eq!(stage.seen(), "");
}

#[test]
fn a_server_without_tls_is_refused_where_tls_is_wanted_and_taken_where_it_is_only_preferred() {
    let lease = Loopback::lease();
    let server = Postgres::start(lease.at(5432));
    let open = |mode: &str| store::open(&Locator::parse(&format!("{}?sslmode={mode}", server.url())).unwrap());
    let refused = open("require").err().unwrap().to_string();
    assert_eq!(
        refused,
        format!("the database is not trusted: error performing TLS handshake: server does not support TLS{CURE}")
    );
    open("prefer").unwrap().ping().unwrap();
}

#[test]
fn a_server_that_is_not_there_is_named_once() {
    let lease = Loopback::lease();
    let url = format!("postgres://duologue@{}/duologue", lease.at(5432));
    let away = store::open(&Locator::parse(&url).unwrap()).err().unwrap().to_string();
    assert!(away.starts_with("the database is away: error connecting to server: Connection refused"), "{away}");
    assert_eq!(away.matches("error connecting to server").count(), 1, "{away}");
}

#[test]
fn a_server_that_does_not_know_our_user_or_our_database_is_not_called_away() {
    let lease = Loopback::lease();
    let server = Postgres::start(lease.at(5432));
    let refused = |from: &str, to: &str| {
        let url = server.url().replace(from, to);
        store::open(&Locator::parse(&url).unwrap()).err().unwrap()
    };
    let user = refused("duologue@", "nobody@");
    assert_eq!(user, StoreError::Shut("db error: FATAL: role \"nobody\" does not exist".to_owned()));
    let database = refused("/postgres", "/nothing");
    assert_eq!(database, StoreError::Refused("db error: FATAL: database \"nothing\" does not exist".to_owned()));
}

/// Nobody in the middle has the same certificate: the password is good for this connection alone (RFC 5802 §6, RFC 5929 §4).
#[test]
fn a_password_is_bound_to_the_connection() {
    let stage = Stage::set();
    stage.server.query("CREATE ROLE proven LOGIN SUPERUSER PASSWORD 'secret'");
    let bound = "right.pem&channel_binding=require";
    stage.open("proven:secret", NAME, "verify-full", bound).unwrap().ping().unwrap();
    let refused = |user: &str, mode: &str, roots: &str| stage.open(user, NAME, mode, roots).err().unwrap().to_string();
    let wrong = refused("proven:wrong", "verify-full", bound);
    let begins = "the database does not let us in: ";
    assert!(wrong.starts_with(&format!("{begins}db error: FATAL: password authentication failed")), "{wrong}");
    assert!(wrong.ends_with(WHO), "{wrong}");
    let none = refused("proven", "verify-full", bound);
    assert_eq!(none, format!("{begins}invalid configuration: password missing{WHO}"));
    // Who asks for the binding gets it or nothing: not from a server that asks for no password.
    let unbound = refused("duologue", "verify-full", bound);
    assert!(unbound.starts_with(begins) && unbound.contains("channel binding"), "{unbound}");
    // Who must come over TLS and does not.
    let bare = refused("proven:secret", "disable", "");
    assert!(bare.starts_with(begins) && bare.contains("pg_hba.conf rejects connection"), "{bare}");
}
