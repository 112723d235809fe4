//! The stored messages: torture and samples.

use std::fs;
use std::path::Path;

/// Name and octets of every stored message, in the order of their names.
pub fn messages() -> Vec<(String, Vec<u8>)> {
    let tests = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests"));
    let mut all = Vec::new();
    for folder in ["torture/rfc4475", "torture/rfc5118", "samples"] {
        for entry in fs::read_dir(tests.join(folder)).expect("the folder is in the repository") {
            let path = entry.expect("a readable folder").path();
            all.push((path.display().to_string(), fs::read(&path).expect("a readable file")));
        }
    }
    all.sort();
    assert!(all.len() > 61, "torture messages and samples");
    all
}
