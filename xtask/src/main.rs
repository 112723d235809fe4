//! Project chores: `cargo xtask test`, `ci`, `layers`.

fn main() {}
