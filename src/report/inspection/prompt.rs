//! A prompt: what the model predicts after each token, and through the logit lens.

use super::parts::{over_layers, quoted};
use crate::lab::inspect::{LensLayer, LogitLens, TokenChance};
use crate::report::chart::Chart;
use crate::report::document::Block;
use crate::report::lines::Axis;
use crate::support::numbers::{fixed, grouped, percent};
use crate::support::table::{Table, label, words};
use crate::support::text::Text;

/// The model's answer to the whole prompt.
pub fn headline(lens: &LogitLens) -> Text {
    let prompt: String = lens.positions.iter().map(|position| position.token.as_str()).collect();
    let last = &lens.positions[lens.positions.len() - 1];
    let answer = &last.likely[0];
    text!(
        "inspect.prompt.headline",
        prompt = quoted(&prompt),
        token = quoted(&answer.token),
        probability = percent(answer.probability),
        bits = fixed(last.entropy_bits, 2),
    )
}

fn with_probability(token: &str, probability: f64) -> String {
    format!("{} {}", quoted(token), percent(probability))
}

/// The most probable next tokens after each token of the prompt.
pub fn next_tokens(lens: &LogitLens) -> [Block; 2] {
    let mut table = Table::titled("inspect.prompt.columns")
        .with_words(1..3)
        .with_caption(text!("inspect.prompt.next_tokens"));
    for position in &lens.positions {
        let likely = position.likely.iter();
        let likely: Vec<String> =
            likely.map(|likely| with_probability(&likely.token, likely.probability)).collect();
        let truth = |write: fn(&TokenChance) -> String| position.truth.as_ref().map_or(String::new(), write);
        table.add_row([
            quoted(&position.token),
            likely.join(", "),
            truth(|truth| quoted(&truth.token)),
            truth(|truth| percent(truth.probability)),
            truth(|truth| grouped(truth.rank)),
            fixed(position.entropy_bits, 2),
        ]);
    }
    let ranks: Vec<usize> =
        lens.positions.iter().filter_map(|position| Some(position.truth.as_ref()?.rank)).collect();
    let first = ranks.iter().filter(|rank| **rank == 1).count();
    let meaning = match ranks.len() {
        0 => headline(lens),
        all => text!("inspect.prompt.hits", all = all, first = first),
    };
    [Block::Meaning(meaning), Block::Table(table)]
}

/// What the model would predict after each layer.
pub fn layers(lens: &LogitLens) -> Vec<Block> {
    let early = lens.positions.iter().filter(|position| position.layers[0].answer_rank == 1).count();
    vec![
        Block::Charts(vec![divergence(lens)]),
        Block::Meaning(text!("inspect.prompt.early", early = early, all = lens.positions.len())),
        Block::Table(all_tokens(lens)),
        Block::Note(text!("inspect.prompt.lens_note")),
    ]
}

/// How far each layer's prediction is from the model's own, after the last token and as a mean over all.
fn divergence(lens: &LogitLens) -> Chart {
    let last = &lens.positions[lens.positions.len() - 1];
    let mean = |layer: usize| {
        let all = lens.positions.iter().map(|position| position.layers[layer].divergence_bits);
        all.sum::<f64>() / lens.positions.len() as f64
    };
    // Less than this is rounding, and has no place on a logarithmic axis.
    let shown = |bits: f64| (bits > 1e-6).then_some(bits);
    let at_last = last.layers.iter().map(|at| shown(at.divergence_bits)).collect();
    let on_average = (0..last.layers.len()).map(|layer| shown(mean(layer))).collect();
    let series: Vec<(Text, Vec<Option<f64>>)> = vec![
        (text!("inspect.prompt.last_series"), at_last),
        (text!("inspect.prompt.mean_series"), on_average),
    ];
    let values = series.iter().flat_map(|(_, values)| values.iter().flatten().copied());
    let y = Axis::log(text!("inspect.prompt.bits"), values);
    let meaning = settled(&last.layers, &last.likely[0].token);
    let texts = [text!("inspect.prompt.divergence"), meaning, text!("inspect.prompt.divergence_note")];
    over_layers("lens-divergence", texts, y, series)
}

/// The layer from which on the answer is in first place.
fn settled(layers: &[LensLayer], answer: &str) -> Text {
    let token = quoted(answer);
    match layers.iter().rposition(|layer| layer.answer_rank > 1) {
        None => text!("inspect.prompt.always_first", token = token),
        Some(before) => text!(
            "inspect.prompt.settled",
            token = token,
            layer = before + 1,
            rank = grouped(layers[0].answer_rank),
        ),
    }
}

/// The most probable next token by token of the prompt and by layer.
fn all_tokens(lens: &LogitLens) -> Table {
    let layers = lens.positions[0].layers.iter().map(|at| words(text!("inspect.layer", layer = at.layer)));
    let mut table = Table::new([label(text!("inspect.prompt.after"))].into_iter().chain(layers))
        .with_caption(text!("inspect.prompt.lens"));
    for position in &lens.positions {
        let cells = position.layers.iter().map(|at| with_probability(&at.token, at.probability));
        table.add_row([quoted(&position.token)].into_iter().chain(cells));
    }
    table
}
