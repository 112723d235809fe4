//! What is printed and needs no server: a new token, completions, the manual page.

use std::io::{Write as _, stdout};
use std::process::ExitCode;

use admin::{Role, Token};
use clap::CommandFactory as _;

use crate::cli::{Cli, TokenRole};

/// A new token, and the line that lets its owner in.
pub(crate) fn token(name: &str, role: TokenRole) -> anyhow::Result<ExitCode> {
    let role = match role {
        TokenRole::Read => Role::Read,
        TokenRole::Operate => Role::Operate,
    };
    let word = if role == Role::Read { "read" } else { "operate" };
    let secret = crate::serve::admin::secret();
    let sha256 = Token::of(name, role, &secret).sha256();
    let name = serde_json::to_string(name)?;
    writeln!(stdout(), "# The token, which is shown only here: {secret}")?;
    writeln!(stdout(), "# Its line in [admin] tokens = [...]:")?;
    writeln!(stdout(), "{{ name = {name}, role = \"{word}\", sha256 = \"{sha256}\" }}")?;
    Ok(ExitCode::SUCCESS)
}

/// Completions of all commands and options.
pub(crate) fn completions(shell: clap_complete::Shell) -> anyhow::Result<ExitCode> {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "duologue", &mut text);
    stdout().write_all(&text)?;
    Ok(ExitCode::SUCCESS)
}

/// The manual page, with all commands in it.
pub(crate) fn man() -> anyhow::Result<ExitCode> {
    let mut text = Vec::new();
    clap_mangen::Man::new(Cli::command()).render(&mut text)?;
    let mut command = Cli::command();
    command.build();
    for subcommand in command.get_subcommands().filter(|subcommand| subcommand.get_name() != "help") {
        let man = clap_mangen::Man::new(subcommand.clone());
        man.render_name_section(&mut text)?;
        man.render_synopsis_section(&mut text)?;
        man.render_options_section(&mut text)?;
    }
    stdout().write_all(&text)?;
    Ok(ExitCode::SUCCESS)
}
