//! What people look at: charts, tables and pages.
//!
//! `scale`, `chart` and `frame` know axes and marks; a `picture` is a chart with what is said of it, and
//! `shell` what every page is. Of a comparison `curves` and `rows` draw what an analysis says, `comparison`
//! lists those charts, `table` has the numbers, and `page` puts all of it together.

mod chart;
mod comparison;
mod curves;
mod frame;
mod language;
mod page;
mod panels;
mod picture;
mod png;
mod rows;
mod scale;
mod shell;
mod table;
mod words;

pub use comparison::charts;
pub use language::Language;
pub use page::page;
pub use panels::{Curve, Panel, grid};
pub use png::png;
pub use table::{cells, csv, markdown};
