//! A linear program, with integers where asked.

/// A column of a [`Model`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Column(pub(crate) usize);

/// Minimize a linear function of columns within bounds, so that rows stay within theirs.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Model {
    pub(crate) columns: Vec<ColumnSpec>,
    pub(crate) rows: Vec<Row>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct ColumnSpec {
    pub(crate) cost: f64,
    pub(crate) lower: f64,
    pub(crate) upper: f64,
    pub(crate) is_integer: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Row {
    pub(crate) lower: f64,
    pub(crate) upper: f64,
    pub(crate) terms: Vec<(Column, f64)>,
}

impl Model {
    /// Adds a column with a cost for each unit, and bounds; an infinite bound is none.
    pub fn column(&mut self, cost: f64, lower: f64, upper: f64) -> Column {
        self.columns.push(ColumnSpec { cost, lower, upper, is_integer: false });
        Column(self.columns.len() - 1)
    }

    /// Adds a column that is 0 or 1.
    pub fn binary(&mut self, cost: f64) -> Column {
        let column = self.column(cost, 0.0, 1.0);
        self.columns[column.0].is_integer = true;
        column
    }

    /// Makes everything cost nothing.
    pub(crate) fn forget_costs(&mut self) {
        self.columns.iter_mut().for_each(|column| column.cost = 0.0);
    }

    /// Takes a column whose bounds hold zero out of the game.
    pub(crate) fn fix_at_zero(&mut self, column: Column) {
        let column = &mut self.columns[column.0];
        (column.lower, column.upper) = (0.0, 0.0);
    }

    /// Adds a row: the sum of the terms lies between the bounds.
    pub fn row(&mut self, lower: f64, upper: f64, terms: impl IntoIterator<Item = (Column, f64)>) {
        self.rows.push(Row { lower, upper, terms: terms.into_iter().collect() });
    }

    /// Adds a row: the sum of the terms is this.
    pub fn equal(&mut self, value: f64, terms: impl IntoIterator<Item = (Column, f64)>) {
        self.row(value, value, terms);
    }

    /// Adds a row: the sum of the terms is this at most.
    pub fn at_most(&mut self, value: f64, terms: impl IntoIterator<Item = (Column, f64)>) {
        self.row(f64::NEG_INFINITY, value, terms);
    }

    /// Adds a row: the sum of the terms is this at least.
    pub fn at_least(&mut self, value: f64, terms: impl IntoIterator<Item = (Column, f64)>) {
        self.row(value, f64::INFINITY, terms);
    }

    /// Returns whether any column is integer.
    #[must_use]
    pub fn has_integers(&self) -> bool {
        self.columns.iter().any(|column| column.is_integer)
    }
}
