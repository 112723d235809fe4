//! `duologue ctl`: the admin interface from a terminal.

mod table;

use std::fs;
use std::io::{IsTerminal as _, Read as _, Write as _, stdin, stdout};
use std::path::Path;
use std::process::ExitCode;

use admin::{Client, ClientError};
use anyhow::Context as _;
use serde_json::{Value, json};

use crate::cli::ctl::{Config, Ctl, Format, Task, User};
use table::Table;

/// Where a service keeps its token, and a process that was started by hand.
const TOKEN_FILES: [&str; 2] = ["/var/lib/duologue/admin.token", "admin.token"];

pub(crate) fn run(options: &Ctl) -> anyhow::Result<ExitCode> {
    let client = Client::new(options.server, token(options)?);
    if let Task::Pcap { id, write } = &options.task {
        pcap(&client, id, write.as_deref())?;
    } else {
        let answer = ask(&client, &options.task)?.map_err(explained)?;
        print(&answer, &options.task, options.output)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn explained(error: ClientError) -> anyhow::Error {
    match error {
        // Another token, or another command, would help.
        ClientError::Refused { status: 401 | 403 | 429, .. } => {
            anyhow::anyhow!("{error}; the token comes from --token, DUOLOGUE_TOKEN or --token-file")
        }
        ClientError::Refused { .. } | ClientError::Unreachable(..) => error.into(),
    }
}

fn pcap(client: &Client, id: &str, file: Option<&Path>) -> anyhow::Result<()> {
    if file.is_none() && stdout().is_terminal() {
        anyhow::bail!(
            "a capture file is nothing for a terminal; name a file with --write, or pass it on to `tshark -r -`"
        );
    }
    let octets = client.fetch("GET", &format!("/api/v1/sessions/{}/pcap", escaped(id)), None).map_err(explained)?;
    match file {
        Some(path) => fs::write(path, &octets).with_context(|| format!("cannot write {}", path.display())),
        None => stdout().write_all(&octets).context("cannot write to standard output"),
    }
}

fn token(options: &Ctl) -> anyhow::Result<Option<String>> {
    if let Some(token) = &options.token {
        return Ok(Some(token.clone()));
    }
    let read = |path: &Path| fs::read_to_string(path).map(|text| text.trim().to_owned());
    if let Some(path) = &options.token_file {
        return read(path).map(Some).with_context(|| format!("cannot read the token in {}", path.display()));
    }
    Ok(TOKEN_FILES.iter().find_map(|path| read(Path::new(path)).ok()))
}

fn ask(client: &Client, task: &Task) -> anyhow::Result<Result<Value, ClientError>> {
    Ok(match task {
        Task::Sessions { user, limit } => {
            client.ask("GET", &format!("/api/v1/sessions?limit={limit}{}", of_user(user.as_deref())), None)
        }
        Task::Session { id } => client.ask("GET", &format!("/api/v1/sessions/{}", escaped(id)), None),
        Task::Close { id } => client.ask("DELETE", &format!("/api/v1/sessions/{}", escaped(id)), None),
        // Its answer is no JSON.
        Task::Pcap { .. } => Ok(Value::Null),
        Task::Registrations => client.ask("GET", "/api/v1/registrations", None),
        Task::Users => client.ask("GET", "/api/v1/users", None),
        Task::User { task: User::Put { user, password_file, number, profile } } => {
            let password = document(password_file)?;
            let password = password.trim_end_matches(['\r', '\n']);
            let body = json!({ "password": password, "number": number, "profile": profile }).to_string();
            client.ask("PUT", &format!("/api/v1/users/{}", escaped(user)), Some(("application/json", body)))
        }
        Task::User { task: User::Remove { user } } => {
            client.ask("DELETE", &format!("/api/v1/users/{}", escaped(user)), None)
        }
        Task::Records { user, limit } => {
            client.ask("GET", &format!("/api/v1/records?limit={limit}{}", of_user(user.as_deref())), None)
        }
        Task::Nodes => client.ask("GET", "/readyz", None),
        Task::Audit => client.ask("GET", "/api/v1/audit", None),
        Task::LogFilter { filter: None } => client.ask("GET", "/api/v1/log-filter", None),
        Task::LogFilter { filter: Some(filter) } => {
            let body = json!({ "filter": filter }).to_string();
            client.ask("PUT", "/api/v1/log-filter", Some(("application/json", body)))
        }
        Task::Config { task: Config::Check { file } } => {
            client.ask("POST", "/api/v1/config/check", Some(("application/toml", document(file)?)))
        }
        Task::Config { task: Config::Reload } => client.ask("POST", "/api/v1/config/reload", None),
        Task::Openapi => client.ask("GET", "/api/v1/openapi.json", None),
    })
}

fn of_user(user: Option<&str>) -> String {
    user.map(|user| format!("&user={}", escaped(user))).unwrap_or_default()
}

fn document(file: &Path) -> anyhow::Result<String> {
    let mut text = String::new();
    if file == Path::new("-") {
        stdin().read_to_string(&mut text).context("cannot read standard input")?;
        return Ok(text);
    }
    fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))
}

/// What has a meaning of its own in a URI.
fn escaped(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    text.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

fn print(answer: &Value, task: &Task, output: Format) -> anyhow::Result<()> {
    let mut out = stdout().lock();
    if output == Format::Json || matches!(task, Task::Openapi) {
        writeln!(out, "{answer:#}")?;
        return Ok(());
    }
    let text = match task {
        Task::Sessions { .. } => {
            Table::of(answer, &["id", "served_user", "case", "peer", "media_path", "started"]).to_string()
        }
        Task::Registrations => Table::of(answer, &["user", "contact", "instance", "expires", "node"]).to_string(),
        Task::Users => Table::of(answer, &["user", "number", "profile", "in_file"]).to_string(),
        Task::User { task: User::Put { user, .. } } => format!("{user} is served\n"),
        Task::User { task: User::Remove { user } } => format!("{user} is not served any more\n"),
        Task::Records { .. } => {
            let columns = ["ended", "served_user", "case", "peer", "media_path", "closed_by", "released", "bye"];
            Table::of(answer, &columns).to_string()
        }
        Task::Nodes => Table::of(answer, &["name", "role", "is_ready"]).to_string(),
        Task::Audit => Table::of(answer, &["at", "who", "from", "what", "status"]).to_string(),
        Task::Session { .. } => table::fields(answer),
        Task::Close { id } => format!("{id} is being closed\n"),
        Task::LogFilter { .. } => format!("{}\n", answer["filter"].as_str().unwrap_or_default()),
        Task::Config { .. } => format!("{}\n", answer["said"].as_str().unwrap_or_default()),
        Task::Pcap { .. } | Task::Openapi => String::new(),
    };
    out.write_all(text.as_bytes())?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_means_something_in_a_uri_is_escaped() {
        assert_eq!(escaped("sip:alice@home1.test"), "sip%3Aalice%40home1.test");
        assert_eq!(escaped("pf.on-1f"), "pf.on-1f");
        assert_eq!(escaped("ü/?"), "%C3%BC%2F%3F");
    }
}
