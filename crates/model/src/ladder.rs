use std::fmt::Write as _;

use crate::close::Step;

/// Steps as numbered lines, ready to be read from top to bottom.
pub fn ladder(steps: &[Step]) -> String {
    let mut text = String::new();
    for (n, step) in steps.iter().enumerate() {
        // Writing to a String never fails.
        let _ = writeln!(text, "  {:>3}  {step}", n + 1);
    }
    text
}
