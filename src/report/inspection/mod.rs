//! An inspection as a document: what a model's FFNs do, each chart with a sentence on what it means.

mod fresh;
mod layers;
mod parts;
mod prompt;
mod shape;
mod units;

use super::document::{Block, Document};
use crate::lab::inspect::{Architecture, Findings};
use crate::support::numbers::grouped;
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
