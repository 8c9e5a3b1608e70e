//! A model's parameters by part, the path through an FFN, and costs.

use crate::lab::inspect::{ModelShape, ParameterCounts, PartCount};
use crate::report::chart::{Chart, Plot};
use crate::report::document::Block;
use crate::report::ffn_path::FfnPath;
use crate::report::stack::Stack;
use crate::support::numbers::{fixed, grouped, percent, scaled};
use crate::support::table::Table;
use crate::support::text::Text;

pub fn blocks(shape: &ModelShape) -> Vec<Block> {
    let charts = vec![parameters(&shape.parameters), path(shape)];
    vec![Block::Charts(charts), Block::Meaning(expansion(shape)), Block::Table(parts(&shape.parameters))]
}

/// The configuration and its costs.
pub fn facts(shape: &ModelShape) -> Vec<(Text, Text)> {
    let config = &shape.config;
    let backbone = serde_json::json!(config.backbone);
    let sizes = text!(
        "inspect.facts.sizes",
        backbone = backbone.as_str().unwrap_or_default(),
        layers = config.layers,
        heads = config.heads,
        width = grouped(config.dim),
        hidden = grouped(config.ffn_dim),
        context = grouped(config.context),
    );
    let formula = format!("{}: {}", shape.act, shape.act.formula());
    let bytes = |bytes: usize| format!("{}B", scaled(bytes as f64)).into();
    let flops = |flops: f64| format!("{}FLOP", scaled(flops)).into();
    vec![
        (text!("inspect.facts.shape"), sizes),
        (text!("inspect.facts.activation"), formula.into()),
        (text!("inspect.facts.weights"), bytes(shape.bytes.weights)),
        (text!("inspect.facts.gradients"), bytes(shape.bytes.gradients)),
        (text!("inspect.facts.optimizer"), bytes(shape.bytes.optimizer)),
        (text!("inspect.facts.forward"), flops(shape.flops_per_token.forward)),
        (text!("inspect.facts.training"), flops(shape.flops_per_token.training)),
    ]
}

/// The FFNs' share, for which two thirds is the usual rule.
pub fn share(counts: &ParameterCounts) -> Text {
    text!(
        "inspect.shape.share",
        all = percent(counts.ffn_share),
        blocks = percent(counts.ffn_share_of_blocks),
        outside = percent(1.0 - counts.in_blocks as f64 / counts.total as f64),
    )
}

fn part_name(part: &str) -> Text {
    Text::message(format!("inspect.part.{part}"))
}

/// Two bars: all parameters, and those inside the blocks.
fn parameters(counts: &ParameterCounts) -> Chart {
    let shares = |of: fn(&PartCount) -> f64| counts.parts.iter().map(of).collect();
    let described = counts.parts.iter().map(|part| {
        let (count, share) = (grouped(part.parameters), percent(part.of_all));
        text!("inspect.shape.part", part = part_name(part.part), count = count, share = share)
    });
    Chart {
        stem: "parameters".to_string(),
        title: text!("inspect.shape.parameters"),
        meaning: share(counts),
        note: text!("inspect.shape.parameters_note"),
        description: Text::Sentences(described.collect()),
        plot: Plot::Stack(Stack {
            parts: counts.parts.iter().map(|part| part_name(part.part)).collect(),
            bars: vec![
                (text!("inspect.shape.all"), shares(|part| part.of_all)),
                (text!("inspect.shape.in_blocks"), shares(|part| part.of_blocks)),
            ],
        }),
    }
}

fn path(shape: &ModelShape) -> Chart {
    let (input, hidden) = (shape.config.dim, shape.config.ffn_dim);
    let (gated, act) = (shape.act.is_gated(), shape.act.gate_label());
    Chart::ffn_path(FfnPath { input, hidden, gated, act })
}

/// What every FFN does with its input.
fn expansion(shape: &ModelShape) -> Text {
    let config = &shape.config;
    text!(
        "inspect.shape.path",
        layers = config.layers,
        width = grouped(config.dim),
        hidden = grouped(config.ffn_dim),
        times = fixed(config.ffn_dim as f64 / config.dim as f64, 2),
        f = shape.act.gate_label(),
        weights = grouped(shape.act.ffn_matrices() * config.dim * config.ffn_dim),
    )
}

fn parts(counts: &ParameterCounts) -> Table {
    let mut table = Table::titled("inspect.shape.columns").with_caption(text!("inspect.shape.parameters"));
    let mut row = |name: Text, count, of_all, of_blocks| {
        table.add_row([name, grouped(count).into(), percent(of_all).into(), percent(of_blocks).into()]);
    };
    for part in &counts.parts {
        row(part_name(part.part), part.parameters, part.of_all, part.of_blocks);
    }
    row(text!("inspect.shape.all"), counts.total, 1.0, 1.0);
    table
}
