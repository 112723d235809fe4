//! The pictures in `docs/figures` are drawn from the flow data, and this test keeps them true to it.

use std::path::Path;

/// `UPDATE_FIGURES=1 cargo test -p flow --test figures` draws them anew.
#[test]
fn the_pictures_in_the_docs_are_those_of_the_data() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/figures");
    for (id, file) in [("c.2.3.1-figure-9", "figure-9.svg"), ("c.2.3.1-figure-10", "figure-10.svg")] {
        let drawn = flow::diagram_svg(flow::by_id(id).expect("the founding figures are there"));
        let path = folder.join(file);
        if std::env::var_os("UPDATE_FIGURES").is_some() {
            std::fs::write(&path, &drawn).expect("the docs can be written");
        }
        let kept = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(kept == drawn, "{file} is not what the data draws: run with UPDATE_FIGURES=1");
    }
}
