use super::*;

fn plan(folder: &Path) -> RecordsPlan {
    RecordsPlan { path: folder.join("new/records.jsonl"), max_octets: 1_500, files: 3 }
}

fn keys(path: &Path) -> Vec<u64> {
    let text = fs::read_to_string(path).unwrap_or_default();
    let key = |line: &str| serde_json::from_str::<serde_json::Value>(line).unwrap()["key"].as_str().map(str::to_owned);
    text.lines().filter_map(key).map(|key| u64::from_str_radix(&key, 16).unwrap()).collect()
}

#[test]
fn a_line_tells_who_when_how_much_and_why() {
    let scratch = tempfile::tempdir().unwrap();
    let plan = plan(scratch.path());
    RecordsFile::open(plan.clone()).unwrap().append(&[SessionRecord::example(0x1f)]).unwrap();
    assert_eq!(
        fs::read_to_string(&plan.path).unwrap(),
        concat!(
            r#"{"key":"000000000000001f","served_user":"sip:alice@home1.test","case":"originating","#,
            r#""peer":"sip:bob@home2.test","conversation_id":"c1","contribution_id":"d2","media_path":"on","#,
            r#""started":"1970-01-01T00:00:01Z","ended":"1970-01-01T00:01:01.500Z","closed_by":"peer","released":null,"#,
            r#""cause":"SIP;cause=200;text=\"Bye\"","bye":200,"sent":{"messages":2,"octets":40},"#,
            r#""received":{"messages":0,"octets":0}}"#,
            "\n"
        )
    );
}

#[test]
fn a_record_that_is_offered_again_after_a_restart_is_not_written_again() {
    let scratch = tempfile::tempdir().unwrap();
    let plan = plan(scratch.path());
    let mut file = RecordsFile::open(plan.clone()).unwrap();
    for key in 1..=4 {
        file.append(&[SessionRecord::example(key)]).unwrap();
    }
    assert_eq!((keys(&numbered(&plan.path, 1)), keys(&plan.path)), (vec![1, 2, 3], vec![4]), "it was rotated");
    // The process died in the middle of a line.
    file.file.write_all(br#"{"key":"0000000000000005","served"#).unwrap();
    let mut file = RecordsFile::open(plan.clone()).unwrap();
    file.append(&[SessionRecord::example(3), SessionRecord::example(4), SessionRecord::example(5)]).unwrap();
    assert_eq!(keys(&plan.path), [4, 5]);
}

#[test]
fn so_many_files_are_kept() {
    let scratch = tempfile::tempdir().unwrap();
    let plan = plan(scratch.path());
    let mut file = RecordsFile::open(plan.clone()).unwrap();
    for key in 1..=20 {
        file.append(&[SessionRecord::example(key)]).unwrap();
    }
    let kept: Vec<_> = (0..4).map(|n| keys(&numbered(&plan.path, n))).collect();
    assert_eq!(kept, [vec![19, 20], vec![16, 17, 18], vec![13, 14, 15], vec![]]);
}
