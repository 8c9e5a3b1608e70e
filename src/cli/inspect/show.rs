//! What an inspection found, as tables.

use crate::activation::Activation;
use crate::cli::table::{Table, Wide, label, number, tail, text};
use crate::cli::text::{grouped, scaled};
use crate::lab::inspect::{
    FreshModels, Inspection, Layer, Lens, Parameters, Promoted, Setting, Shapes, Truth,
};
use crate::support::failure::escape_controls;
use anyhow::Result;

/// Prints what was found in a trained model.
pub fn trained(data: &str, found: &Inspection, wide: &Wide) -> Result<()> {
    activation(found.shapes.act)?;
    prose!("read           {} tokens of {}", grouped(found.tokens), escape_controls(data))?;
    parameters(&found.shapes.parameters, wide)?;
    hidden_units(&found.layers, wide)?;
    outputs(&found.layers, wide)?;
    agreement(&found.layers, wide)?;
    strongest_units(&found.layers, wide)
}

/// Prints what follows each token of a prompt, and the logit lens at its last.
pub fn prompt(found: &Lens, wide: &Wide) -> Result<()> {
    say!("\nWhat the model expects after each token\n")?;
    let mut next = Table::new([
        label("after"),
        text("most probable next"),
        text("in truth"),
        number("probability"),
        number("rank"),
        number("entropy, bits"),
    ]);
    for position in &found.positions {
        let likely = position.likely.iter();
        let likely =
            likely.map(|likely| format!("{} {}", quoted(&likely.token), percent(likely.probability)));
        let truth = |write: fn(&Truth) -> String| position.truth.as_ref().map_or("-".to_string(), write);
        next.add_row([
            quoted(&position.token),
            likely.collect::<Vec<_>>().join("  "),
            truth(|truth| quoted(&truth.token)),
            truth(|truth| percent(truth.probability)),
            truth(|truth| grouped(truth.rank)),
            decimals(position.entropy_bits, 2),
        ]);
    }
    next.print(wide)?;
    let Some(last) = found.positions.last() else { return Ok(()) };
    say!("\nAfter the last token, if the model ended with this layer (the logit lens)\n")?;
    let mut lens = Table::new([
        label("layer"),
        text("most probable next"),
        number("probability"),
        number("KL, bits"),
        number("rank of the answer"),
        number("entropy, bits"),
    ]);
    for at in &last.layers {
        lens.add_row([
            at.layer.to_string(),
            quoted(&at.token),
            percent(at.probability),
            decimals(at.divergence_bits, 3),
            grouped(at.answer_rank),
            decimals(at.entropy_bits, 2),
        ]);
    }
    lens.print(wide)?;
    say!("\nThe final norm and the head applied to the residual stream after each layer. The")?;
    say!("answer is the model's own most probable token. KL: divergence from the model's")?;
    say!("own prediction.")?;
    Ok(())
}

/// Prints what a model's configuration says.
pub fn shapes(model: &str, vocabulary: &str, found: &Shapes, wide: &Wide) -> Result<()> {
    let config = &found.config;
    let backbone = serde_json::json!(config.backbone);
    prose!("model          {}, no weights", escape_controls(model))?;
    prose!(
        "shape          {}: {} layers, {} heads, width {}, FFN {}, context {}",
        backbone.as_str().unwrap_or_default(),
        config.layers,
        config.heads,
        grouped(config.dim),
        grouped(config.ffn_dim),
        grouped(config.context)
    )?;
    prose!("vocabulary     {} tokens, {}", grouped(config.vocab_size), escape_controls(vocabulary))?;
    activation(found.act)?;
    parameters(&found.parameters, wide)?;
    say!("\nA token's way through one of the {} FFNs\n", config.layers)?;
    let mut path =
        Table::new([label("step"), text("computes"), number("matrix"), number("values that come out")]);
    path.add_row(["read".to_string(), "x".to_string(), "-".to_string(), grouped(config.dim)]);
    for step in &found.ffn {
        let matrix =
            step.matrix.map(|(inputs, outputs)| format!("{} x {}", grouped(inputs), grouped(outputs)));
        path.add_row([
            step.step.to_string(),
            step.formula.clone(),
            matrix.unwrap_or("-".to_string()),
            grouped(step.values),
        ]);
    }
    path.print(wide)?;
    say!("\nThe hidden layer is {} times as wide as what it reads.", decimals(found.expansion(), 2))?;
    say!("\nWhat it costs\n")?;
    let mut table = Table::new([label("what"), number("how much")]);
    let bytes = |bytes: usize| format!("{}B", scaled(bytes as f64));
    table.add_row(["weights, f32".to_string(), bytes(found.bytes.weights)]);
    table.add_row(["gradients, f32".to_string(), bytes(found.bytes.gradients)]);
    table.add_row(["AdamW's moments, f32".to_string(), bytes(found.bytes.optimizer)]);
    let flops = |flops: f64| format!("{}FLOP", scaled(flops));
    table.add_row(["one token, forward".to_string(), flops(found.flops_per_token.forward)]);
    table.add_row(["one token, training".to_string(), flops(found.flops_per_token.training)]);
    table.print(wide)
}

fn activation(act: Activation) -> Result<()> {
    let gate = if act.gated { ": f is in the gate" } else { "" };
    prose!("activation     {act}, f(x) = {}{gate}", act.function.facts().formula)?;
    Ok(())
}

/// Prints what was found in fresh models.
pub fn fresh(data: &str, found: &FreshModels, wide: &Wide) -> Result<()> {
    let what = match found.setting {
        Setting::Model => "whole models",
        Setting::Stack => "FFNs alone, without residual additions, norms and attention",
    };
    prose!("fresh          {what}; width {}, seed {}", found.width, found.seed)?;
    prose!("read           {} tokens of {}\n", grouped(found.tokens), escape_controls(data))?;
    let per_act = found.gradients.len() / found.standard_normal.len();
    let depths = found.gradients[..per_act].iter().map(|one| format!("{} layers", one.layers));
    let moments = [label("act"), number("mean f(z)"), number("std f(z)")];
    let mut table = Table::new(moments.into_iter().chain(depths.map(number)));
    for (normal, gradients) in found.standard_normal.iter().zip(found.gradients.chunks(per_act)) {
        let moments = [normal.moments.mean, normal.moments.std].map(|moment| decimals(moment, 2));
        let ratios = gradients.iter().map(|one| ratio(one.first_over_last));
        table.add_row(std::iter::once(normal.act.name()).chain(moments).chain(ratios));
    }
    table.print(wide)?;
    if found.gradients.iter().any(|one| !one.first_over_last.is_finite()) {
        prose!("\nOverflow: values left the range of f64, as squares and products do without norms.")?;
    }
    say!("\nz: standard normal. Layers: the norm of the loss's gradient in the first FFN,")?;
    say!("divided by that in the last one, for the matrix that gives f its argument.")?;
    Ok(())
}

fn parameters(sizes: &Parameters, wide: &Wide) -> Result<()> {
    say!("\nWhere the parameters are\n")?;
    let mut table =
        Table::new([label("part"), number("parameters"), number("of all"), number("of the blocks")]);
    for size in &sizes.parts {
        let inside = if size.of_blocks > 0.0 { percent(size.of_blocks) } else { "-".to_string() };
        table.add_row([size.part.to_string(), grouped(size.parameters), percent(size.of_all), inside]);
    }
    let blocks = percent(sizes.in_blocks as f64 / sizes.total as f64);
    table.add_row(["all".to_string(), grouped(sizes.total), percent(1.0), percent(1.0)]);
    table.print(wide)?;
    let tied = sizes.parts.iter().any(|size| size.part == "head" && size.parameters == 0);
    let head = if tied { "; the head is the embedding" } else { "" };
    say!("\nThe blocks are {blocks} of all{head}.")?;
    Ok(())
}

fn hidden_units(layers: &[Layer], wide: &Wide) -> Result<()> {
    say!("\nWhat the hidden units do\n")?;
    let mut table = Table::new([
        label("layer"),
        number("units"),
        number("dead"),
        number("f(x) = 0"),
        number("saturated, x <= 0"),
        number("saturated, x > 0"),
        number("always saturated"),
        number("mean x"),
        number("std x"),
        number("mean f(x)"),
        number("std f(x)"),
    ]);
    for Layer { layer, hidden, .. } in layers {
        table.add_row([
            layer.to_string(),
            grouped(hidden.units),
            grouped(hidden.dead),
            percent(hidden.zeros),
            percent(hidden.saturated_negative),
            percent(hidden.saturated_positive),
            grouped(hidden.always_saturated),
            decimals(hidden.argument.mean, 3),
            decimals(hidden.argument.std, 3),
            decimals(hidden.output.mean, 3),
            decimals(hidden.output.std, 3),
        ]);
    }
    table.print(wide)?;
    say!("\nx: the argument of f. Dead: units with f(x) = 0 at every token. Saturated:")?;
    say!("|f'(x)| is below 1% of its maximum; always saturated: at every token.")?;
    Ok(())
}

fn outputs(layers: &[Layer], wide: &Wide) -> Result<()> {
    say!("\nWhat the FFN adds to the residual stream, and how linear it is\n")?;
    let mut table = Table::new([
        label("layer"),
        number("FFN output RMS"),
        number("residual RMS"),
        number("ratio"),
        number("linear R^2"),
        number("gradient norm"),
    ]);
    for Layer { layer, output, linear, summary, .. } in layers {
        table.add_row([
            layer.to_string(),
            decimals(output.rms, 3),
            decimals(output.residual_rms, 3),
            decimals(output.relative, 3),
            linear.r2.map_or("-".to_string(), |r2| decimals(r2, 4)),
            format!("{:.2e}", summary.grad_norm),
        ]);
    }
    table.print(wide)?;
    let fit = layers[0].linear;
    let (fitted, scored) = (grouped(fit.fitted), grouped(fit.scored));
    match fit.r2 {
        Some(_) => say!("\nR^2 of least squares on {fitted} tokens, scored on the {scored} after them.")?,
        None => {
            prose!("\n{fitted} tokens are too few for a linear fit: use a longer text or more --tokens.")?;
        }
    }
    say!("Gradient norm: of the mean loss, for the matrix that gives f its argument.")?;
    Ok(())
}

fn agreement(layers: &[Layer], wide: &Wide) -> Result<()> {
    say!("\nUnits as memories: how often a value promotes most the token that follows the")?;
    say!("unit's strongest context\n")?;
    let mut agreement =
        Table::new([label("layer"), number("agreement"), number("by chance"), number("units that fired")]);
    for Layer { layer, memories, .. } in layers {
        agreement.add_row([
            layer.to_string(),
            percent(memories.agreement),
            percent(memories.chance),
            grouped(memories.fired),
        ]);
    }
    agreement.print(wide)
}

fn strongest_units(layers: &[Layer], wide: &Wide) -> Result<()> {
    let units = layers.iter().flat_map(|layer| layer.memories.units.iter().map(|unit| (layer.layer, unit)));
    // Functions of one sign never subtract a value.
    let signed = units.clone().any(|(_, unit)| unit.triggers.iter().any(|trigger| trigger.coefficient < 0.0));
    if units.clone().next().is_none() {
        return Ok(());
    }
    say!("\nThe strongest units (|value| x mean |coefficient|), the contexts that fire them,")?;
    say!("and the tokens that their values promote\n")?;
    let mut columns = vec![
        label("layer"),
        number("unit"),
        number("coefficient"),
        tail("context"),
        text("next").at_least(4),
        text("promotes"),
    ];
    if signed {
        columns.push(text("promotes where negative"));
    }
    let mut table = Table::new(columns);
    for (layer, unit) in units {
        for (i, trigger) in unit.triggers.iter().enumerate() {
            let first = |text: String| if i == 0 { text } else { String::new() };
            let mut row = vec![
                first(layer.to_string()),
                first(unit.unit.to_string()),
                decimals(trigger.coefficient, 2),
                quoted(&trigger.context),
                quoted(&trigger.next),
                first(tokens(&unit.promoted)),
            ];
            if signed {
                row.push(first(unit.promoted_when_negative.as_deref().map_or("-".to_string(), tokens)));
            }
            table.add_row(row);
        }
    }
    table.print(wide)
}

fn tokens(promoted: &[Promoted]) -> String {
    promoted.iter().map(|promoted| quoted(&promoted.token)).collect::<Vec<_>>().join(" ")
}

/// A text in a cell of a Markdown table: on one line, without a bar that would end the cell.
fn quoted(text: &str) -> String {
    format!("{text:?}").replace('|', "\\|")
}

fn percent(share: f64) -> String {
    format!("{:.1}%", 100.0 * share)
}

fn decimals(value: f64, places: usize) -> String {
    let text = format!("{value:.places$}");
    // A rounding error below 0 is 0.
    if text.trim_start_matches('-').chars().all(|c| matches!(c, '0' | '.')) {
        text.trim_start_matches('-').to_string()
    } else {
        text
    }
}

/// 0.87, 12.3, 4.1e-10
fn ratio(value: f64) -> String {
    match value {
        value if !value.is_finite() => "overflow".to_string(),
        value if (0.01..1000.0).contains(&value) => format!("{value:.2}"),
        value => format!("{value:.1e}"),
    }
}
