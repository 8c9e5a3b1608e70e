//! An inspection as a document: what a model's FFNs do, each chart with a sentence on what it means.

mod fresh;
mod layers;
mod prompt;
mod shape;
mod units;

use super::chart::{Chart, Plot};
use super::document::{Block, Document};
use super::lines::{Axis, Lines};
use crate::lab::inspect::{Architecture, Findings};
use crate::support::numbers::{grouped, ratio};
use crate::support::text::Text;

/// The document of what was found. `command` makes its page again.
pub fn document(findings: &Findings, command: &str) -> Document {
    let mut document = Document::default();
    let mut facts = match findings {
        Findings::Shape { model, vocabulary, shape } => {
            document.title = text!("inspect.title", model = model);
            document.headline = shape::share(&shape.parameters);
            document.section(text!("inspect.shape.heading"), shape::blocks(shape));
            let tokens = grouped(shape.config.vocab_size);
            vec![
                (text!("inspect.facts.model"), text!("inspect.facts.no_weights", model = model)),
                (
                    text!("inspect.facts.vocabulary"),
                    text!("inspect.facts.vocabulary_by", tokens = tokens, tokenizer = vocabulary),
                ),
            ]
            .into_iter()
            .chain(shape::facts(shape))
            .collect()
        }
        Findings::Trained { checkpoint, data, prompt, shape, survey } => {
            let checkpoint = checkpoint.display();
            document.title = text!("inspect.title", model = &checkpoint);
            document.headline = match (survey, prompt) {
                (Some(survey), _) => layers::headline(survey, &shape.parameters),
                (None, Some(lens)) => prompt::headline(lens),
                (None, None) => Text::default(),
            };
            let mut facts = vec![(text!("inspect.facts.model"), checkpoint.into())];
            if let (Some(data), Some(survey)) = (data, survey) {
                document.section(text!("inspect.shape.heading"), shape::blocks(shape));
                document.section(text!("inspect.hidden.heading"), layers::hidden(survey));
                document.section(text!("inspect.layers.heading"), layers::outputs(survey));
                document.section(text!("inspect.units.heading"), units::blocks(survey));
                facts.extend(shape::facts(shape));
                facts.push((text!("inspect.facts.data"), data.into()));
                facts.push((text!("inspect.facts.read"), grouped(survey.tokens).into()));
                facts.push((text!("inspect.facts.differentiated"), grouped(survey.gradient_tokens).into()));
            }
            if let Some(lens) = prompt {
                document.section(text!("inspect.prompt.heading"), prompt::next_tokens(lens));
                document.section(text!("inspect.prompt.lens"), prompt::layers(lens));
            }
            facts
        }
        Findings::Fresh { data, found } => {
            document.title = match found.setting {
                Architecture::Model => text!("inspect.fresh.models"),
                Architecture::Stack => text!("inspect.fresh.stacks"),
            };
            document.headline = fresh::headline(found);
            document.section(text!("inspect.fresh.heading"), fresh::blocks(found));
            vec![
                (text!("inspect.facts.model"), document.title.clone()),
                (text!("inspect.facts.width"), found.width.into()),
                (text!("inspect.facts.seed"), found.seed.into()),
                (text!("inspect.facts.data"), data.into()),
                (text!("inspect.facts.differentiated"), grouped(found.tokens).into()),
            ]
        }
    };
    facts.push((text!("inspect.facts.version"), env!("CARGO_PKG_VERSION").into()));
    let again = Block::Command(text!("inspect.origin.again"), command.to_string());
    document.section(text!("inspect.origin.heading"), [Block::Facts(facts), again]);
    document
}

/// A chart of lines over layers, one for each name with its values.
fn over_layers(
    stem: impl Into<String>,
    [title, meaning, note]: [Text; 3],
    y: Axis,
    series: Vec<(Text, Vec<Option<f64>>)>,
) -> Chart {
    let values = |values: &[Option<f64>]| {
        values.iter().map(|value| value.map_or("\u{2013}".to_string(), ratio)).collect::<Vec<_>>().join(", ")
    };
    let described = series.iter().map(|(name, found)| {
        let name = if name.is_empty() { &y.label } else { name };
        text!("inspect.by_layer", name = name.clone(), values = values(found))
    });
    Chart {
        stem: stem.into(),
        title,
        meaning,
        note,
        description: Text::Sentences(described.collect()),
        plot: Plot::Lines(Lines::over_layers(y, series)),
    }
}

/// The layers with the least and the greatest value, with these values. None if no layer has a value.
fn extremes(values: impl IntoIterator<Item = Option<f64>>) -> Option<[(usize, f64); 2]> {
    let known: Vec<(usize, f64)> =
        values.into_iter().enumerate().filter_map(|(layer, value)| Some((layer, value?))).collect();
    let least = known.iter().copied().min_by(|a, b| a.1.total_cmp(&b.1))?;
    let most = known.iter().copied().max_by(|a, b| a.1.total_cmp(&b.1))?;
    Some([least, most])
}

/// A text with visible spaces and line ends.
fn quoted(text: &str) -> String {
    format!("{text:?}")
}
