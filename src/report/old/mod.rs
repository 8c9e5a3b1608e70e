//! Reports that aren't documents yet.

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
mod shell;
mod table;
mod words;

use super::scale;
use super::svg as chart;

pub use claims::{claims_charts, claims_markdown, claims_page};
pub use comparison::charts;
pub use page::page;
pub use panels::{Curve, Panel, grid};
pub(crate) use table::{Cells, cells};
pub use table::{csv, markdown};
