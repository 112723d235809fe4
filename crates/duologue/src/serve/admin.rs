//! The admin interface of `serve`: its sockets, and the token that is made at every start.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::Arc;

use admin::{Api, Role, Server, Token};
use anyhow::Context as _;
use wire::Entropy;

use super::config::AdminPlan;
use super::operator::Nodes;

/// Its sockets, bound before anything runs.
pub(super) struct Sockets {
    api: Vec<TcpListener>,
    metrics: Vec<TcpListener>,
}

impl Sockets {
    pub(super) fn bind(plan: &AdminPlan) -> anyhow::Result<Sockets> {
        Ok(Sockets { api: bind("admin.listen", plan.listen)?, metrics: bind("admin.metrics", plan.metrics)? })
    }
}

fn bind(key: &str, address: Option<SocketAddr>) -> anyhow::Result<Vec<TcpListener>> {
    let Some(address) = address else { return Ok(Vec::new()) };
    let listener = TcpListener::bind(address)
        .with_context(|| format!("{key}: cannot listen on {address}; choose another address or port"))?;
    tracing::info!(%key, addr = %listener.local_addr().unwrap_or(address), "listening");
    Ok(vec![listener])
}

/// Starts it, if there is any.
pub(super) fn start(plan: &AdminPlan, sockets: Sockets, nodes: &Arc<Nodes>) -> anyhow::Result<Server> {
    let own = plan.token_file.as_deref().map(token).transpose()?;
    let own: Vec<Token> = own.into_iter().collect();
    let tokens = own.iter().chain(&plan.tokens).cloned().collect();
    let api = Api::new(Arc::clone(nodes) as Arc<dyn admin::Operator>, tokens);
    nodes.connect(api.clone(), own);
    Server::start(&api, sockets.api, sockets.metrics).context("the admin interface cannot start")
}

/// Makes a token for who may read the file.
fn token(path: &Path) -> anyhow::Result<Token> {
    let secret = secret();
    // A file of another owner, or a link to somewhere else, is not written into.
    match fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => OpenOptions::new().create_new(true).write(true).mode(0o600).open(path),
    }
    .and_then(|mut file| writeln!(file, "{secret}"))
    .with_context(|| {
        format!("admin.token_file: cannot write {}; name a file in a folder of this user", path.display())
    })?;
    Ok(Token::of("token-file", Role::Operate, &secret))
}

/// 128 random bits.
pub(crate) fn secret() -> String {
    Entropy::from_os().token().iter().map(|byte| format!("{byte:02x}")).collect()
}
