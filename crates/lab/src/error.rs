use wire::Transport;

/// Why the lab could not play a flow at all.
#[derive(Debug, thiserror::Error)]
pub enum LabError {
    /// A node has no socket for this transport.
    #[error("a node of the lab has no {0} socket")]
    Transport(Transport),
    /// There is no certificate for a node.
    #[error("a certificate {0}")]
    Tls(#[from] engine::TlsError),
    /// A socket could not be had.
    #[error(transparent)]
    Bind(#[from] engine::BindError),
    /// A node could not be started.
    #[error(transparent)]
    Start(#[from] node::StartError),
    /// The address of a node makes no URI.
    #[error("a node has a URI {0}")]
    Uri(#[from] node::UriError),
    /// A node stopped by itself.
    #[error("{node}: {reason}")]
    Engine {
        /// The node.
        node: &'static str,
        /// What its engine said.
        reason: engine::CallError,
    },
}
