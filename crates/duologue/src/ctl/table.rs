use std::fmt;

use serde_json::Value;

/// Objects as lines of columns.
pub(super) struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    /// These members of each object of an array, under their names.
    pub(super) fn of(objects: &Value, columns: &[&str]) -> Table {
        let head = columns.iter().map(|column| column.replace('_', " ").to_uppercase()).collect();
        let cells = |object: &Value| columns.iter().map(|column| cell(&object[*column])).collect();
        let rows = objects.as_array().into_iter().flatten().map(cells);
        Table { rows: std::iter::once(head).chain(rows).collect() }
    }
}

/// The members of one object, a line each.
pub(super) fn fields(object: &Value) -> String {
    let members = object.as_object().into_iter().flatten();
    members.map(|(name, value)| format!("{:<16} {}\n", name.replace('_', " "), cell(value))).collect()
}

fn cell(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => text.clone(),
        Value::Bool(is) => if *is { "yes" } else { "no" }.to_owned(),
        Value::Number(_) | Value::Array(_) | Value::Object(_) => value.to_string(),
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let columns = self.rows.first().map_or(0, Vec::len);
        let width = |column: usize| self.rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
        let widths: Vec<usize> = (0..columns).map(width).collect();
        for row in &self.rows {
            let cells: Vec<String> = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
            writeln!(f, "{}", cells.join("  ").trim_end())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let table = Table::of(
            &json!([{"id": "pf.on-1", "peer": null, "up": true}, {"id": "x", "n": 1}]),
            &["id", "peer", "up"],
        );
        assert_eq!(table.to_string(), "ID       PEER  UP\npf.on-1  -     yes\nx        -     -\n");
        assert_eq!(Table::of(&json!([]), &["id"]).to_string(), "ID\n");
        assert_eq!(fields(&json!({"a_b": 1})), "a b              1\n");
    }
}
