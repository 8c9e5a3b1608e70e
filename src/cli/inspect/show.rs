//! What an inspection found, as tables.

use crate::cli::text::{grouped, shown, table};
use crate::failure::escape_controls;
use crate::inspect::{FreshModels, Inspection, Layer, Promoted, Setting};
use anyhow::Result;
use comfy_table::CellAlignment;
use std::path::Path;

/// Prints what was found in a trained model.
pub fn trained(checkpoint: &Path, data: &str, found: &Inspection) -> Result<()> {
    let gate = if found.act.gated { ": f is in the gate" } else { "" };
    say!("checkpoint     {}", shown(checkpoint))?;
    say!("activation     {}, f(x) = {}{gate}", found.act, found.act.function.facts().formula)?;
    say!("read           {} tokens of {}", grouped(found.tokens), escape_controls(data))?;
    parameters(found)?;
    hidden_units(&found.layers)?;
    outputs(&found.layers)?;
    agreement(&found.layers)?;
    strongest_units(&found.layers)
}

/// Prints what was found in fresh models.
pub fn fresh(data: &str, found: &FreshModels) -> Result<()> {
    let what = match found.setting {
        Setting::Model => "whole models",
        Setting::Stack => "FFNs alone, without residual additions, norms and attention",
    };
    say!("fresh          {what}; width {}, seed {}", found.width, found.seed)?;
    say!("read           {} tokens of {}\n", grouped(found.tokens), escape_controls(data))?;
    let per_act = found.gradients.len() / found.standard_normal.len();
    let depths = found.gradients[..per_act].iter().map(|one| format!("{} layers", one.layers));
    let titles: Vec<String> =
        ["act", "mean f(z)", "std f(z)"].map(String::from).into_iter().chain(depths).collect();
    let mut table = table(&titles.iter().map(String::as_str).collect::<Vec<_>>());
    for (normal, gradients) in found.standard_normal.iter().zip(found.gradients.chunks(per_act)) {
        let moments = [normal.moments.mean, normal.moments.std].map(|moment| decimals(moment, 2));
        let ratios = gradients.iter().map(|one| ratio(one.first_over_last));
        table.add_row(std::iter::once(normal.act.name()).chain(moments).chain(ratios));
    }
    say!("{table}")?;
    if found.gradients.iter().any(|one| !one.first_over_last.is_finite()) {
        say!("\nOverflow: values left the range of f64, as squares and products do without norms.")?;
    }
    say!("\nz: standard normal. Layers: the norm of the loss's gradient in the first FFN over that in the")?;
    say!("last, each with respect to the matrix that gives f its argument.")?;
    Ok(())
}

fn parameters(found: &Inspection) -> Result<()> {
    say!("\nWhere the parameters are\n")?;
    let mut table = table(&["part", "parameters", "of all", "of the blocks"]);
    let sizes = &found.parameters;
    for size in &sizes.parts {
        let inside = if size.of_blocks > 0.0 { percent(size.of_blocks) } else { "-".to_string() };
        table.add_row([size.part.to_string(), grouped(size.parameters), percent(size.of_all), inside]);
    }
    let blocks = percent(sizes.in_blocks as f64 / sizes.total as f64);
    table.add_row(["all".to_string(), grouped(sizes.total), percent(1.0), percent(1.0)]);
    say!("{table}")?;
    let tied = sizes.parts.iter().any(|size| size.part == "head" && size.parameters == 0);
    let head = if tied { "; the head is the embedding" } else { "" };
    say!("\nThe blocks are {blocks} of all{head}.")?;
    Ok(())
}

fn hidden_units(layers: &[Layer]) -> Result<()> {
    say!("\nWhat the hidden units do\n")?;
    let titles = [
        "layer",
        "mean x",
        "std x",
        "mean f(x)",
        "std f(x)",
        "saturated, x <= 0",
        "saturated, x > 0",
        "f(x) = 0",
        "dead",
        "always saturated",
        "units",
    ];
    let mut table = table(&titles);
    for Layer { layer, hidden, .. } in layers {
        table.add_row([
            layer.to_string(),
            decimals(hidden.argument.mean, 3),
            decimals(hidden.argument.std, 3),
            decimals(hidden.output.mean, 3),
            decimals(hidden.output.std, 3),
            percent(hidden.saturated_negative),
            percent(hidden.saturated_positive),
            percent(hidden.zeros),
            grouped(hidden.dead),
            grouped(hidden.always_saturated),
            grouped(hidden.units),
        ]);
    }
    say!("{table}")?;
    say!(
        "\nx: the argument of f. Saturated: |f'(x)| is below 1 % of its maximum. Dead: f(x) = 0 at every token."
    )?;
    say!("Always saturated: saturated at every token.")?;
    Ok(())
}

fn outputs(layers: &[Layer]) -> Result<()> {
    say!("\nWhat the FFN adds to the residual stream, and how much of it one linear map would\n")?;
    let mut table = table(&["layer", "FFN output RMS", "residual RMS", "ratio", "linear R^2"]);
    for Layer { layer, output, linear, .. } in layers {
        table.add_row([
            layer.to_string(),
            decimals(output.rms, 3),
            decimals(output.residual_rms, 3),
            decimals(output.relative, 3),
            linear.r2.map_or("-".to_string(), |r2| decimals(r2, 4)),
        ]);
    }
    say!("{table}")?;
    let fit = layers[0].linear;
    let (fitted, scored) = (grouped(fit.fitted), grouped(fit.scored));
    match fit.r2 {
        Some(_) => say!("\nR^2 of least squares on {fitted} tokens, scored on the {scored} after them.")?,
        None => say!(
            "\n{fitted} tokens are too few to fit a linear map to; give a longer text or more --tokens."
        )?,
    }
    Ok(())
}

fn agreement(layers: &[Layer]) -> Result<()> {
    say!(
        "\nWhether units work as memories: does a value promote the token that follows its strongest trigger?\n"
    )?;
    let mut agreement = table(&["layer", "agreement", "by chance", "units that fired"]);
    for Layer { layer, memories, .. } in layers {
        agreement.add_row([
            layer.to_string(),
            percent(memories.agreement),
            percent(memories.chance),
            grouped(memories.fired),
        ]);
    }
    say!("{agreement}")?;
    Ok(())
}

fn strongest_units(layers: &[Layer]) -> Result<()> {
    let units = layers.iter().flat_map(|layer| layer.memories.units.iter().map(|unit| (layer.layer, unit)));
    // Functions of one sign never subtract a value.
    let signed = units.clone().any(|(_, unit)| unit.triggers.iter().any(|trigger| trigger.coefficient < 0.0));
    if units.clone().next().is_none() {
        return Ok(());
    }
    say!(
        "\nThe strongest units (|value| x mean |coefficient|): what fires them, and what their values promote\n"
    )?;
    let mut titles = vec!["layer", "unit", "coefficient", "context", "next", "promotes"];
    if signed {
        titles.push("promotes where negative");
    }
    let mut table = table(&titles);
    // The end of a context is what fires a unit; what it is followed by and promotes reads from the left.
    for column in table.column_iter_mut().skip(4) {
        column.set_cell_alignment(CellAlignment::Left);
    }
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
    say!("{table}")?;
    Ok(())
}

fn tokens(promoted: &[Promoted]) -> String {
    promoted.iter().map(|promoted| quoted(&promoted.token)).collect::<Vec<_>>().join(" ")
}

/// A text in a cell of a Markdown table: on one line, without a bar that would end the cell.
fn quoted(text: &str) -> String {
    format!("{text:?}").replace('|', "\\|")
}

fn percent(share: f64) -> String {
    format!("{:.1} %", 100.0 * share)
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
