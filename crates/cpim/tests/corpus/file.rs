//! The format of the corpus: see its README.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct File {
    #[serde(skip)]
    pub(crate) name: String,
    pub(crate) kind: Kind,
    #[serde(default)]
    template: String,
    #[serde(rename = "case")]
    pub(crate) cases: Vec<Case>,
}

#[derive(Deserialize, Clone, Copy)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Kind {
    Cpim,
    Imdn,
    Composing,
    Receipt,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) why: String,
    pub(crate) verdict: Verdict,
    message: Option<String>,
    insert: Option<String>,
    #[serde(default)]
    lines: Ends,
    #[serde(default)]
    pub(crate) reads: BTreeMap<String, String>,
    pub(crate) receipt: Option<ReceiptCase>,
}

#[derive(Deserialize, Clone, Copy)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Verdict {
    Accept,
    Refuse,
}

#[derive(Deserialize, Clone, Copy, Default)]
#[serde(rename_all = "lowercase")]
enum Ends {
    #[default]
    Crlf,
    Lf,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ReceiptCase {
    pub(crate) from: String,
    pub(crate) earlier: Vec<String>,
    pub(crate) means: String,
}

/// All files, in the order of their names.
pub(crate) fn load() -> Vec<File> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../corpus/cpim");
    let mut paths: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|e| e == "toml"));
    paths.sort();
    let read = |path: &Path| {
        let text = fs::read_to_string(path).unwrap();
        let file: File = toml::from_str(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        File { name: path.file_stem().unwrap().to_string_lossy().into_owned(), ..file }
    };
    paths.iter().map(|path| read(path)).collect()
}

impl Case {
    /// The octets that the case is about.
    pub(crate) fn octets(&self, file: &File) -> Vec<u8> {
        let text = match (&self.message, &self.insert) {
            (Some(message), None) => message.clone(),
            (None, Some(insert)) => {
                assert!(file.template.contains("@@"), "{}: no template", file.name);
                file.template.replacen("@@", insert, 1)
            }
            (Some(_), Some(_)) | (None, None) => panic!("{}/{}: message or insert", file.name, self.name),
        };
        expand(&match self.lines {
            Ends::Crlf => text.replace('\n', "\r\n"),
            Ends::Lf => text,
        })
    }
}

/// Undoes `{{hex:…}}` and `{{N*…}}`.
fn expand(text: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("{{") {
        let (inside, after) = after.split_once("}}").unwrap();
        out.extend_from_slice(before.as_bytes());
        match inside.strip_prefix("hex:") {
            Some(digits) => out.extend(octets_of(digits)),
            None => {
                let (times, what) = inside.split_once('*').unwrap();
                let times: usize = times.parse().unwrap();
                (0..times).for_each(|n| out.extend_from_slice(what.replace('#', &n.to_string()).as_bytes()));
            }
        }
        rest = after;
    }
    out.extend_from_slice(rest.as_bytes());
    out
}

fn octets_of(digits: &str) -> Vec<u8> {
    (0..digits.len()).step_by(2).map(|at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap()).collect()
}
