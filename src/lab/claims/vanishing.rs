//! The derivative of a sigmoid is at most 1/4, so gradients vanish with depth.

use super::figures::{Figure, Picture};
use super::{Lab, Measured, Verdict};
use crate::activation::Activation;
use crate::lab::inspect::{Architecture, FreshModels, InitialGradients, fresh_models, gradient_factor};
use crate::settings::Settings;
use crate::support::numbers::{fixed, ratio};
use crate::support::table::{Table, label, number};
use crate::support::text::Text;
use crate::support::waiting::waiting;
use anyhow::Result;

const ACTS: [&str; 4] = ["relu", "gelu", "tanh", "sigmoid"];
const DEPTHS: [usize; 4] = [2, 6, 12, 24];
/// Tokens whose loss is differentiated.
const TOKENS: usize = 256;
/// Gradients vanish if sigmoid's ratio is below this times ReLU's: without residual connections, and with them.
const VANISHES: f64 = 1e-3;
const VANISHES_WITH_RESIDUALS: f64 = 0.1;

pub fn measure(lab: &mut Lab) -> Result<Measured> {
    let with = gradients(lab, Architecture::Model)?;
    let without = gradients(lab, Architecture::Stack)?;
    let deepest = |found: &FreshModels, name: &str| {
        let mut deepest = at_the_deepest(found);
        deepest.find(|one| one.act.label() == name).map_or(f64::NAN, |one| one.first_over_last)
    };
    let [(sigmoid, relu), (sigmoid_with, relu_with)] =
        [&without, &with].map(|found| (deepest(found, "sigmoid"), deepest(found, "relu")));
    let function = "sigmoid".parse::<Activation>()?.function();
    Ok(Measured {
        method: text!("claims.vanishing.method"),
        verdict: Verdict::of(&[
            sigmoid < VANISHES * relu,
            sigmoid_with < VANISHES_WITH_RESIDUALS * relu_with,
        ]),
        answer: text!(
            "claims.vanishing.answer",
            sigmoid = ratio(sigmoid),
            relu = ratio(relu),
            sigmoid_with = ratio(sigmoid_with),
            relu_with = ratio(relu_with),
            own = fixed(gradient_factor(&function, 0.0), 2),
            centred = fixed(gradient_factor(&function, -0.5), 2),
        ),
        tables: vec![
            table(&without, text!("claims.vanishing.alone")),
            table(&with, text!("claims.vanishing.whole")),
        ],
        figures: vec![
            figure(&without, "gradients-ffns-alone", text!("claims.vanishing.alone_title")),
            figure(&with, "gradients-whole-models", text!("claims.vanishing.whole_title")),
        ],
    })
}

fn gradients(lab: &mut Lab, setting: Architecture) -> Result<FreshModels> {
    let dataset = lab.dataset(&Settings::default())?;
    let recipe = lab.recipe(&Settings::default())?;
    let acts = lab.acts(&ACTS)?;
    let waiting = waiting("differentiating fresh models, layers");
    fresh_models(&recipe, &dataset, (&acts, &DEPTHS), TOKENS, setting, &mut lab.following(&waiting))
}

fn at_the_deepest(found: &FreshModels) -> impl Iterator<Item = &InitialGradients> + Clone {
    found.gradients.iter().filter(|one| one.layers == DEPTHS[DEPTHS.len() - 1])
}

fn table(found: &FreshModels, caption: Text) -> Table {
    let layers = DEPTHS.map(|layers| number(text!("claims.layers", layers = layers)));
    let columns = std::iter::once(label(text!("claims.activation"))).chain(layers);
    let mut table = Table::new(columns).with_caption(caption);
    for models in found.gradients.chunks(DEPTHS.len()) {
        let ratios = models.iter().map(|one| ratio(one.first_over_last));
        table.add_row(std::iter::once(models[0].act.to_string()).chain(ratios));
    }
    table
}

fn figure(found: &FreshModels, stem: &'static str, title: Text) -> Figure {
    let deepest = at_the_deepest(found);
    let line = |one: &InitialGradients| {
        let last = one.norms[one.layers - 1];
        let points = one.norms.iter().enumerate().map(|(i, norm)| ((i + 1) as f64, norm / last));
        (one.act.label().to_string(), points.collect())
    };
    let least = deepest.clone().min_by(|a, b| a.first_over_last.total_cmp(&b.first_over_last));
    let (name, share) = least.map_or(("", f64::NAN), |one| (one.act.label(), one.first_over_last));
    Figure {
        stem,
        title,
        meaning: text!("claims.vanishing.meaning", act = name, ratio = ratio(share)),
        picture: Picture::Lines {
            x: text!("chart.layer"),
            y: text!("claims.vanishing.norm"),
            is_log: true,
            series: deepest.map(line).collect(),
        },
    }
}
