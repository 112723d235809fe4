//! What is in `contrib` for others, and the file for a container, are right as far as they can be looked at here.

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

/// In place of a build, for which there is no container engine here.
#[test]
fn the_container_is_built_by_our_compiler_runs_as_a_plain_user_and_keeps_its_state_in_the_volume() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let text = std::fs::read_to_string(root.join("dist/Containerfile")).unwrap();
    let joined = text.replace("\\\n", " ");
    let lines = joined.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#'));
    let steps: Vec<(&str, &str)> = lines.map(|line| line.split_once(' ').unwrap()).collect();
    let known = [
        "FROM",
        "WORKDIR",
        "COPY",
        "RUN",
        "USER",
        "ENV",
        "VOLUME",
        "EXPOSE",
        "STOPSIGNAL",
        "HEALTHCHECK",
        "ENTRYPOINT",
        "CMD",
    ];
    assert!(steps.iter().all(|(name, _)| known.contains(name)), "{steps:?}");
    let last = steps.iter().rposition(|(name, _)| *name == "FROM").unwrap();
    let (build, image) = steps.split_at(last);
    let compiler = build[0].1.strip_prefix("rust:").unwrap().split('-').next().unwrap();
    assert_eq!(compiler, env!("CARGO_PKG_RUST_VERSION"), "rust-version of Cargo.toml");
    for (_, words) in image.iter().filter(|(name, _)| *name == "COPY") {
        let from = words.strip_prefix("--from=build /source/").unwrap().split(' ').next().unwrap();
        assert!(from == "target/release/duologue" || root.join(from).is_file(), "{from} is not there");
    }
    let only = |wanted| -> &str {
        let values: Vec<&str> = image.iter().filter(|(name, _)| *name == wanted).map(|(_, value)| *value).collect();
        assert_eq!(values.len(), 1, "{wanted}: {values:?}");
        values[0]
    };
    assert!(!["root", "0"].contains(&only("USER")));
    assert_eq!(only("ENV"), format!("STATE_DIRECTORY={}", only("VOLUME")));
    let words = |text: &str| -> Vec<String> { serde_json::from_str(&text[text.find('[').unwrap()..]).unwrap() };
    let whole = [words(only("ENTRYPOINT")), words(only("CMD"))].concat();
    for command in [whole, words(only("HEALTHCHECK"))] {
        assert_eq!(command[0], "/usr/bin/duologue");
        let help = Command::new(env!("CARGO_BIN_EXE_duologue")).args(&command[1..]).arg("--help").output().unwrap();
        assert!(help.status.success(), "{command:?}: {}", String::from_utf8_lossy(&help.stderr));
    }
}
