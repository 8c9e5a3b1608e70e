//! What people look at: pages, Markdown, tables and charts.
//!
//! A report is a [`document::Document`]: data that says nothing about how it's shown. `html` and `markdown` write a
//! document, and the command line prints one. A [`chart::Chart`] is data, too: `lines`, `rows`, `panels` and `stack`
//! draw it as SVG.

pub mod chart;
pub mod claims;
pub mod comparison;
pub mod document;
pub mod ffn_path;
pub mod html;
pub mod inspection;
pub mod lines;
pub mod markdown;
pub mod panels;
pub mod rows;
pub mod scale;
pub mod stack;
pub mod svg;

pub use crate::support::text::Language;
