//! A model's parameters by part, the path through an FFN, and costs.

use super::numbers::{fixed, percent};
use crate::lab::inspect::{ModelShape, ParameterCounts, PartCount};
use crate::report::chart::{Chart, Plot};
use crate::report::document::Block;
use crate::report::ffn_path::ffn_path;
use crate::report::stack::Stack;
use crate::report::table::{Table, label, number, words};
use crate::support::output::{grouped, scaled};
use crate::support::text::Text;

pub fn blocks(shape: &ModelShape) -> Vec<Block> {
    vec![
        Block::Charts(vec![parameters(&shape.parameters), path(shape)]),
        Block::Table(parts(&shape.parameters)),
        Block::Table(steps(shape)),
        Block::Table(costs(shape)),
    ]
}

/// The configuration in two lines.
pub fn facts(shape: &ModelShape) -> [(Text, Text); 2] {
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
    let (act, formula) = (shape.act, shape.act.function.facts().formula);
    let function = match act.gated {
        true => text!("inspect.facts.in_gate", act = act, formula = formula),
        false => format!("{act}, f(x) = {formula}").into(),
    };
    [(text!("inspect.facts.shape"), sizes), (text!("inspect.facts.activation"), function)]
}

/// The FFNs' share, beside the usual rule of two thirds.
pub fn share(counts: &ParameterCounts) -> Text {
    let is_near = |share: f64| (share - 2.0 / 3.0).abs() < 0.02;
    let rule = match (is_near(counts.ffn_share), is_near(counts.ffn_share_of_blocks)) {
        (true, true) => text!("inspect.shape.rule_of_both"),
        (false, true) => {
            let outside = percent(1.0 - counts.in_blocks as f64 / counts.total as f64);
            text!("inspect.shape.rule_of_blocks", outside = outside)
        }
        _ => text!("inspect.shape.rule"),
    };
    let (all, blocks) = (percent(counts.ffn_share), percent(counts.ffn_share_of_blocks));
    Text::Sentences(vec![text!("inspect.shape.share", all = all, blocks = blocks), rule])
}

fn part_name(part: &str) -> Text {
    match part {
        "embedding" => text!("inspect.part.embedding"),
        "attention" => text!("inspect.part.attention"),
        "norm" => text!("inspect.part.norm"),
        "head" => text!("inspect.part.head"),
        part => part.into(),
    }
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
    let config = &shape.config;
    let weights = config.act.ffn_matrices() * config.dim * config.ffn_dim;
    Chart {
        meaning: text!(
            "inspect.shape.path",
            layers = config.layers,
            width = grouped(config.dim),
            hidden = grouped(config.ffn_dim),
            times = fixed(config.ffn_dim as f64 / config.dim as f64, 2),
            f = config.act.function.facts().name,
            weights = grouped(weights),
        ),
        ..ffn_path(config.dim, config.ffn_dim, config.act)
    }
}

fn parts(counts: &ParameterCounts) -> Table {
    let mut table = Table::new([
        label(text!("inspect.shape.column.part")),
        number(text!("inspect.shape.column.parameters")),
        number(text!("inspect.shape.column.of_all")),
        number(text!("inspect.shape.column.of_blocks")),
    ])
    .with_caption(text!("inspect.shape.parameters"));
    for part in &counts.parts {
        let numbers = [grouped(part.parameters), percent(part.of_all), percent(part.of_blocks)];
        table.add_row([part_name(part.part)].into_iter().chain(numbers.map(Text::from)));
    }
    let numbers = [grouped(counts.total), percent(1.0), percent(1.0)];
    table.add_row([text!("inspect.shape.all")].into_iter().chain(numbers.map(Text::from)));
    table
}

fn steps(shape: &ModelShape) -> Table {
    let mut table = Table::new([
        label(text!("inspect.shape.column.step")),
        words(text!("inspect.shape.column.formula")),
        number(text!("inspect.shape.column.matrix")),
        number(text!("inspect.shape.column.values")),
    ])
    .with_caption(text!("inspect.shape.steps"));
    for step in &shape.ffn {
        let name = match step.step {
            "activate" => text!("chart.ffn_path.activate"),
            "multiply" => text!("chart.ffn_path.multiply"),
            "compress" => text!("chart.ffn_path.compress"),
            _ => text!("chart.ffn_path.expand"),
        };
        let matrix =
            step.matrix.map(|(inputs, outputs)| format!("{} x {}", grouped(inputs), grouped(outputs)));
        let rest = [step.formula.clone(), matrix.unwrap_or_default(), grouped(step.values)];
        table.add_row([name].into_iter().chain(rest.map(Text::from)));
    }
    table
}

fn costs(shape: &ModelShape) -> Table {
    let bytes = |bytes: usize| format!("{}B", scaled(bytes as f64));
    let flops = |flops: f64| format!("{}FLOP", scaled(flops));
    let mut table =
        Table::new([label(text!("inspect.shape.column.item")), number(text!("inspect.shape.column.cost"))])
            .with_caption(text!("inspect.shape.costs"));
    for (item, cost) in [
        (text!("inspect.shape.cost.weights"), bytes(shape.bytes.weights)),
        (text!("inspect.shape.cost.gradients"), bytes(shape.bytes.gradients)),
        (text!("inspect.shape.cost.optimizer"), bytes(shape.bytes.optimizer)),
        (text!("inspect.shape.cost.forward"), flops(shape.flops_per_token.forward)),
        (text!("inspect.shape.cost.training"), flops(shape.flops_per_token.training)),
    ] {
        table.add_row([item, cost.into()]);
    }
    table
}
