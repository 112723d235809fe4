//! Sockets in crates that must not open any.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};

/// Every line of code under `folder` that names a socket type.
pub(super) fn opened(folder: &Path, name: &str, types: &[String]) -> Result<Vec<String>> {
    let mut complaints = Vec::new();
    let mut entries: Vec<_> =
        fs::read_dir(folder).with_context(|| folder.display().to_string())?.collect::<Result<_, _>>()?;
    entries.sort_by_key(fs::DirEntry::path);
    for entry in entries {
        let path = entry.path();
        if path.is_dir() {
            complaints.extend(opened(&path, name, types)?);
        } else if path.extension().is_some_and(|e| e == "rs") {
            let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
            complaints.extend(named(&text, types).into_iter().map(|(line, word)| {
                format!(
                    "{name} opens sockets: {word} in {}:{line}; take wire::Input and give wire::Output instead",
                    path.display()
                )
            }));
        }
    }
    Ok(complaints)
}

/// Line numbers where one of the words stands as a word outside a comment.
pub(super) fn named<'t>(text: &str, words: &'t [String]) -> Vec<(usize, &'t str)> {
    let mut found = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let code = line.split("//").next().unwrap_or_default();
        let identifiers: Vec<&str> = code.split(|c: char| !c.is_alphanumeric() && c != '_').collect();
        found.extend(words.iter().filter(|w| identifiers.contains(&w.as_str())).map(|w| (index + 1, w.as_str())));
    }
    found
}
