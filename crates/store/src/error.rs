/// Why a store did not do what it was asked for.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum StoreError {
    /// The database cannot be reached, or does not answer in time: later it may.
    #[error("the database is away: {0}")]
    Away(String),
    /// There is somebody, and TLS with it comes to nothing: it is not who it should be, or speaks no TLS. Waiting does not help.
    #[error(
        "the database is not trusted: {0}; see `sslmode` and `sslrootcert` in the URL, and the certificate of the server"
    )]
    Untrusted(String),
    /// It does not believe that we are who the configuration says, or does not let that one in. Waiting does not help.
    #[error(
        "the database does not let us in: {0}; see the user and the password in `url` of `[store]`, and whom the server lets in (pg_hba.conf)"
    )]
    Shut(String),
    /// The life that a lease was given to is over: another node has taken over, or the node was started again.
    #[error("node {0} has been replaced: another has taken over what it held, or it was started a second time")]
    Fenced(String),
    /// The database is there and says no: no rights, a schema of a later version, no room.
    #[error("the database refuses: {0}")]
    Refused(String),
    /// It holds something that cannot be read.
    #[error("the database holds what cannot be read: {0}")]
    Unreadable(String),
}

impl StoreError {
    /// A schema that no migration of ours leads to.
    pub(crate) fn later(version: i64, ours: usize) -> StoreError {
        StoreError::Refused(format!(
            "its schema has version {version}, and ours is {ours}: a later Duologue has used it"
        ))
    }
}
