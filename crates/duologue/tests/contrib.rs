//! What is in `contrib` for others is right as far as it can be looked at here.

use std::path::{Path, PathBuf};
use std::process::Command;

use quick_xml::events::Event;

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../contrib").join(name)
}

#[test]
fn the_configuration_for_docker_open5gs_passes_the_check() {
    let scratch = tempfile::tempdir().unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_duologue"))
        .args(["serve", "--check", "--config"])
        .arg(file("docker_open5gs/duologue.toml"))
        .env("STATE_DIRECTORY", scratch.path())
        .envs([("DUOLOGUE_IP", "172.22.0.60"), ("SCSCF_IP", "172.22.0.20")])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn the_criteria_come_before_those_of_the_smsc_and_name_where_the_function_listens() {
    let text = std::fs::read_to_string(file("docker_open5gs/ifc.xml")).unwrap();
    let (mut reader, mut name, mut texts) = (quick_xml::Reader::from_str(&text), String::new(), Vec::new());
    loop {
        let event = reader.read_event().unwrap();
        if let Event::Start(tag) = &event {
            name = tag.name().into_inner().to_owned();
        } else if let Event::Text(text) = &event {
            texts.push((name.clone(), text.xml10_content().into_owned()));
        } else if event == Event::Eof {
            break;
        }
    }
    let texts = |name: &'static str| {
        let is_it = move |(element, text): &&(String, String)| element == name && !text.trim().is_empty();
        texts.iter().filter(is_it).map(|(_, text)| text.clone())
    };
    let priorities: Vec<u32> = texts("Priority").map(|text| text.parse().unwrap()).collect();
    assert_eq!(priorities, [5, 6, 7], "the SMSC has 20");
    let servers: Vec<String> = texts("ServerName").collect();
    let at = "172.22.0.60:5070";
    assert_eq!(servers, [format!("sip:{at}"), format!("sip:orig@{at}"), format!("sip:term@{at}")]);
    assert_eq!(texts("SessionCase").collect::<Vec<_>>(), ["0", "1", "2"]);
}
