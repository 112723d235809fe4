//! Pictures of a flow from its data, so that the docs cannot differ from what is checked.

use crate::Flow;
use crate::ladder::{self, Style};

/// The ladder of the flow itself, as text.
pub fn diagram(flow: &Flow, style: &Style) -> String {
    ladder::render(&flow.nodes, &ladder::rows(flow), style)
}

/// The ladder of the flow itself, as a self-contained SVG picture.
pub fn diagram_svg(flow: &Flow) -> String {
    let title = format!("{}: {}", flow.clause, flow.title);
    ladder::svg(&title, &flow.nodes, &ladder::rows(flow))
}
