//! A table for a person or for a Markdown page.

use std::fmt::Write;

/// How a table is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// Aligned text.
    Text,
    /// A Markdown table.
    Markdown,
}

/// Rows of text; the first column is aligned left, the others right.
#[derive(Clone, Debug)]
pub struct Table {
    head: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table with these columns and no rows yet.
    #[must_use]
    pub fn new<S: Into<String>>(head: impl IntoIterator<Item = S>) -> Self {
        Self {
            head: head.into_iter().map(Into::into).collect(),
            rows: Vec::new(),
        }
    }

    /// Adds a row.
    ///
    /// # Panics
    /// If it has not one cell a column.
    pub fn push(&mut self, row: Vec<String>) {
        assert_eq!(row.len(), self.head.len(), "a row has one cell a column");
        self.rows.push(row);
    }

    /// The whole table, each line ended.
    #[must_use]
    pub fn render(&self, style: Style) -> String {
        let widths: Vec<usize> = (0..self.head.len())
            .map(|column| self.width(column))
            .collect();
        let mut text = String::new();
        text.push_str(&line(&self.head, &widths, style));
        if style == Style::Markdown {
            let rule = widths.iter().enumerate().map(|(column, width)| {
                let dashes = "-".repeat(width.saturating_sub(1));
                if column == 0 {
                    format!("{dashes}-")
                } else {
                    format!("{dashes}:")
                }
            });
            text.push_str(&line(&rule.collect::<Vec<_>>(), &widths, style));
        }
        for row in &self.rows {
            text.push_str(&line(row, &widths, style));
        }
        text
    }

    fn width(&self, column: usize) -> usize {
        let cells = self
            .rows
            .iter()
            .map(|row| &row[column])
            .chain([&self.head[column]]);
        cells
            .map(|cell| cell.chars().count())
            .max()
            .unwrap_or(0)
            .max(3)
    }
}

fn line(cells: &[String], widths: &[usize], style: Style) -> String {
    let (open, between, close) = match style {
        Style::Text => ("", "  ", ""),
        Style::Markdown => ("| ", " | ", " |"),
    };
    let mut line = open.to_owned();
    for (column, (cell, width)) in cells.iter().zip(widths).enumerate() {
        // Writing to a String can't fail.
        let _ = match column {
            0 => write!(line, "{cell:width$}"),
            _ => write!(line, "{between}{cell:>width$}"),
        };
    }
    line.push_str(close);
    line.truncate(line.trim_end().len());
    line.push('\n');
    line
}
