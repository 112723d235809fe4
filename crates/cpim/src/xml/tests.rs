use super::*;

fn refused(document: &str) -> &'static str {
    parse(document.as_bytes(), "a").unwrap_err().expected
}

fn repeated(n: usize, make: impl Fn(usize) -> String) -> String {
    (0..n).map(make).collect()
}

#[test]
fn text_of_all_kinds_is_gathered() {
    let root =
        parse(b"\xef\xbb\xbf<?xml version='1.0'?><!-- c --><a><b>1 &lt;&#x32;<![CDATA[<3>]]><!-- > -->4</b></a>", "a");
    assert_eq!(root.unwrap().text_of("b"), Ok(Some("1 <2<3>4")));
}

#[test]
fn other_namespaces_are_told_apart() {
    let root = parse(b"<a xmlns='u:1' xmlns:o='u:2'><o:b>no</o:b><b>yes</b><c xmlns=''>too</c></a>", "a").unwrap();
    assert_eq!((root.text_of("b"), root.text_of("c")), (Ok(Some("yes")), Ok(Some("too"))));
}

#[test]
fn what_could_explode_is_refused_before_it_is_read() {
    assert_eq!(refused("<!DOCTYPE a [<!ENTITY l 'l'>]><a>&l;</a>"), "no document type declaration");
    assert_eq!(refused("<a>&l;</a>"), "a character reference or one of the five entities");
    assert_eq!(refused(&"<a>".repeat(10_000)), "at most 1024 elements, 32 deep");
    assert_eq!(refused(&format!("<a>{}</a>", "<b/>".repeat(2_000))), "at most 1024 elements, 32 deep");
    assert_eq!(refused(&format!("<a {}/>", repeated(65, |n| format!("b{n}='' ")))), "at most 64 attributes");
    let many = repeated(65, |n| format!("<b xmlns:n{n}='u:{n}'/>"));
    assert_eq!(refused(&format!("<a>{many}</a>")), "at most 64 namespace declarations");
    assert_eq!(refused(&format!("<a b='{}'/>", "x".repeat(9_000))), "a tag of at most 8 KiB");
    assert_eq!(refused(&format!("<a>{}</a>", "x".repeat(70_000))), "an XML document of at most 64 KiB");
}

#[test]
fn what_is_not_well_formed_is_refused() {
    let documents = [
        "",
        " ",
        "a",
        "<a",
        "<a>",
        "</a>",
        "<a/><a/>",
        "<a></b>",
        "<a/>b",
        "<a><b></a></b>",
        "<b/>",
        "<p:a/>",
        "<a>&#0;</a>",
        "<a>\0</a>",
        "<a><![CDATA[</a>",
        "<a><!-- </a>",
        "<?xml <a/>",
        "<a b='>",
        "<a>&amp</a>",
        "<a <b/>/>",
    ];
    for document in documents {
        assert!(parse(document.as_bytes(), "a").is_err(), "{document}");
    }
    assert!(parse(b"\xff\xfe<\0a\0/\0>\0", "a").is_err(), "UTF-16");
}
