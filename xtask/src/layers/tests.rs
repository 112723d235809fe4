use super::sockets::named;
use super::*;

const TABLE: &str = r#"
[may-use]
wire = []
sip = []
cpm = ["sip"]
role-client = ["wire", "sip", "cpm"]
role-core = ["wire", "sip", "cpm"]
sim = ["wire"]
lab = ["*"]
[tests]
may-use = ["wire", "sim"]
test-only = ["sim"]
[keep-out.tokio]
except = ["lab"]
why = "machines do not await"
[sockets]
names = ["UdpSocket"]
except = ["lab"]
"#;

fn table() -> Table {
    toml::from_str(TABLE).unwrap()
}

fn set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|&n| n.to_owned()).collect()
}

fn complaints(name: &str, member: Member) -> Vec<String> {
    let members = BTreeMap::from([(name.to_owned(), member)]);
    let table = table();
    [arrows(&table, &members), kept_out(&table, &members)].concat()
}

fn uses(names: &[&str]) -> Member {
    Member { uses: set(names), ..Member::default() }
}

#[test]
fn allowed_arrows_pass() {
    assert!(complaints("role-client", uses(&["wire", "sip", "cpm"])).is_empty());
    assert!(complaints("lab", uses(&["role-client", "role-core", "cpm"])).is_empty());
    let tested = Member { tests_use: set(&["sim", "cpm"]), ..Member::default() };
    assert!(complaints("role-core", tested).is_empty());
}

#[test]
fn an_arrow_that_the_table_lacks_is_named_with_its_cure() {
    let said = complaints("sip", uses(&["wire"]));
    assert_eq!(said.len(), 1);
    assert!(said[0].starts_with("sip -> wire is not allowed; sip may use nothing of ours; move"), "{said:?}");
}

#[test]
fn a_role_never_uses_another_role() {
    let said = complaints("role-client", uses(&["role-core"]));
    assert!(said[0].contains("roles never use each other"), "{said:?}");
}

#[test]
fn test_support_stays_in_dev_dependencies_even_of_crates_that_may_use_everything() {
    let said = complaints("lab", uses(&["sim"]));
    assert!(said[0].contains("move it to [dev-dependencies] of lab"), "{said:?}");
    let tested = Member { tests_use: set(&["role-client"]), ..Member::default() };
    assert!(complaints("sip", tested)[0].starts_with("sip -> role-client (tests) is not allowed"));
}

#[test]
fn a_crate_without_a_row_and_a_misspelt_row_are_found() {
    assert!(complaints("msrp", Member::default())[0].contains("add `msrp = [...]`"));
    let bad: Table = toml::from_str(&TABLE.replace("cpm = [\"sip\"]", "cpm = [\"spi\"]")).unwrap();
    assert_eq!(
        arrows(&bad, &BTreeMap::new()),
        ["layers.toml names spi, which has no row under [may-use]; correct the name"]
    );
}

#[test]
fn a_runtime_that_comes_in_through_somebody_is_found() {
    let pulls = || Member { pulls_in: set(&["bytes", "tokio"]), ..Member::default() };
    assert!(complaints("cpm", pulls())[0].starts_with("cpm pulls in tokio: machines do not await"));
    assert!(complaints("lab", pulls()).is_empty());
}

#[test]
fn sockets_count_in_code_and_not_in_comments_or_longer_names() {
    let text = "/// Like UdpSocket.\nuse std::net::UdpSocket;\nstruct MyUdpSocket; // UdpSocket\n";
    assert_eq!(named(text, &table().sockets.names), [(2, "UdpSocket")]);
}

#[test]
fn the_workspace_keeps_its_own_table() {
    check().unwrap();
}
