//! Aligned columns.

use std::io::{self, Write};

/// Where the text of a column stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Align {
    /// Words.
    Left,
    /// Numbers.
    Right,
}

/// Rows under a header, two blanks between columns, two before the first.
#[derive(Debug)]
pub(crate) struct Table {
    align: Vec<Align>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// Returns a table of these columns.
    pub(crate) fn new<const N: usize>(columns: [(Align, &str); N]) -> Self {
        let align = columns.iter().map(|(align, _)| *align).collect();
        let header = columns.iter().map(|(_, name)| (*name).to_owned()).collect();
        Self { align, rows: vec![header] }
    }

    /// Adds a row; what goes beyond the columns is left out.
    pub(crate) fn row<const N: usize>(&mut self, cells: [String; N]) {
        self.rows.push(cells.into());
    }

    /// Writes the header, a rule and the rows.
    ///
    /// # Errors
    ///
    /// What `out` answers.
    pub(crate) fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        let mut widths = vec![0; self.align.len()];
        for row in &self.rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(cell.chars().count());
            }
        }
        let rule: Vec<String> = widths.iter().map(|&width| "-".repeat(width)).collect();
        self.write_row(out, &self.rows[0], &widths)?;
        self.write_row(out, &rule, &widths)?;
        self.rows[1..].iter().try_for_each(|row| self.write_row(out, row, &widths))
    }

    fn write_row(&self, out: &mut dyn Write, row: &[String], widths: &[usize]) -> io::Result<()> {
        let mut line = String::new();
        for ((cell, &width), align) in row.iter().zip(widths).zip(&self.align) {
            line.push_str("  ");
            match align {
                Align::Left => line.push_str(&format!("{cell:<width$}")),
                Align::Right => line.push_str(&format!("{cell:>width$}")),
            }
        }
        writeln!(out, "{}", line.trim_end())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    #[test]
    fn columns_are_aligned() {
        let mut table = Table::new([(Align::Left, "call"), (Align::Right, "gas")]);
        table.row(["settle".to_owned(), "45,934".to_owned()]);
        table.row(["å".to_owned(), "9".to_owned()]);
        // A first line without blanks, so that those of the table count.
        let mut text = b"gas\n".to_vec();
        table.write(&mut text).unwrap();
        expect![[r#"
            gas
              call       gas
              ------  ------
              settle  45,934
              å            9
        "#]]
        .assert_eq(&String::from_utf8(text).unwrap());
    }
}
