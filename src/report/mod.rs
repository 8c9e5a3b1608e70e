//! What people look at: charts, tables and the report of a comparison.
//!
//! `scale` and `chart` know axes and marks, `curves` and `rows` draw what an analysis says with them,
//! `comparison` lists those charts, `table` has the numbers, and `page` puts all of it together.

mod chart;
mod comparison;
mod curves;
mod page;
mod panels;
mod png;
mod rows;
mod scale;
mod table;
mod words;

pub use comparison::charts;
pub use page::page;
pub use panels::{Curve, Panel, grid};
pub use png::png;
pub use table::{cells, csv, markdown};
