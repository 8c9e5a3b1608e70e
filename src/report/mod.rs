//! What people look at: charts, tables and pages.
//!
//! `scale`, `chart` and `frame` know axes and marks; a `picture` is a chart with what is said of it, and
//! `shell` what every page is. Of a comparison `curves` and `rows` draw what an analysis says, `comparison`
//! lists those charts, `table` has the numbers, and `page` puts all of it together; `inspection` does the
//! same for what was seen inside a model, and `claims` for what became of the claims.

mod chart;
mod claims;
mod comparison;
mod curves;
mod frame;
mod inspection;
mod language;
mod page;
mod panels;
mod picture;
mod rows;
mod scale;
mod shell;
mod table;
mod words;

pub use claims::{claims_charts, claims_markdown, claims_page};
pub use comparison::charts;
pub use inspection::{Findings, inspection_charts, inspection_page};
pub use language::Language;
pub use page::page;
pub use panels::{Curve, Panel, grid};
pub(crate) use table::Cells;
pub(crate) use table::cells;
pub use table::{csv, markdown};
