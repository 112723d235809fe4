//! `[admin]`.

use std::net::SocketAddr;
use std::path::PathBuf;

use admin::Token;

use super::ConfigError;
use crate::serve::document;

/// The admin interface, but for its sockets.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct AdminPlan {
    pub(crate) listen: Option<SocketAddr>,
    pub(crate) metrics: Option<SocketAddr>,
    /// Where a token goes that is made at every start.
    pub(crate) token_file: Option<PathBuf>,
    pub(crate) tokens: Vec<Token>,
}

pub(super) fn read(admin: Option<document::Admin>) -> Result<AdminPlan, ConfigError> {
    let Some(admin) = admin else { return Ok(AdminPlan::default()) };
    let listen = admin.listen.map(|text| address("admin.listen", &text, "127.0.0.1:9090")).transpose()?;
    let metrics = admin.metrics.map(|text| address("admin.metrics", &text, "127.0.0.1:9091")).transpose()?;
    if listen.is_some() && listen == metrics {
        let cure = "leave it out: what listens at `listen` serves metrics as well";
        return Err(ConfigError::new("admin.metrics", "is the address of `listen`", cure));
    }
    let mut tokens: Vec<Token> = Vec::new();
    for (i, token) in admin.tokens.iter().enumerate() {
        let key = |name: &str| format!("admin.tokens[{i}].{name}");
        if token.name.is_empty() || tokens.iter().any(|other| other.name == token.name) {
            let cure = "give every token a name of its own, for the audit log";
            return Err(ConfigError::new(key("name"), &format!("is `{}`", token.name), cure));
        }
        let read = Token::new(&token.name, token.role, &token.sha256).map_err(|error| {
            ConfigError::new(key("sha256"), &error.to_string(), "run `duologue token` and copy its line")
        })?;
        tokens.push(read);
    }
    if listen.is_some() && tokens.is_empty() && admin.token_file.is_none() {
        let cure = "add a token to `admin.tokens` (`duologue token` makes one), or write `admin.token_file`";
        return Err(ConfigError::new("admin.listen", "would let nobody in", cure));
    }
    Ok(AdminPlan { listen, metrics, token_file: admin.token_file, tokens })
}

pub(super) fn address(key: &str, text: &str, example: &str) -> Result<SocketAddr, ConfigError> {
    let cure = format!("write an IP address and a port, such as \"{example}\"");
    text.parse().map_err(|_| ConfigError::new(key, &format!("is `{text}`"), &cure))
}
