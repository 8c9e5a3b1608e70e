//! `tinygpt acts`

use super::outputs::{Inputs, check_file};
use super::print::{Cell, Table, Wide, label, number, words};
use super::text::{grouped, print_record};
use crate::activation::Activation;
use crate::lab::bench;
use crate::lab::inspect::on_standard_normal;
use crate::report::panels::{Curve, Panel, grid};
use crate::run::checkpoint::{llama_cpp_graph, loads_in};
use crate::settings::{Backbone, LARGEST, within};
use crate::support::files::replace;
use anyhow::Result;
use clap::Args;
use serde_json::json;
use std::path::{Path, PathBuf};
use std::time::Duration;

#[derive(Args)]
#[command(after_help = "Example: tinygpt acts 'x * sigmoid(b * x); b = 1' --plot swish.svg")]
pub struct ActsArgs {
    /// Activations to describe: names or formulas [default: a table of all names]
    #[arg(value_name = "FORMULA", hide_possible_values = true)]
    formulas: Vec<Activation>,
    /// Model width for the column of FFN parameters
    #[arg(long, value_name = "N", default_value_t = 768, value_parser = within(1..=LARGEST))]
    dim: usize,
    /// Draw the functions and their derivatives in an SVG file
    #[arg(long, value_name = "FILE")]
    plot: Option<PathBuf>,
    /// Replace --plot even if tinygpt didn't write that file
    #[arg(long, requires = "plot")]
    force: bool,
    #[command(flatten)]
    wide: Wide,
    /// Print a JSON object
    #[arg(long)]
    json: bool,
}

pub fn run(args: &ActsArgs) -> Result<()> {
    if let Some(path) = &args.plot {
        check_file("--plot", path, &Inputs::default(), args.force)?;
        let named = Activation::named().filter(|act| !act.multiplies_by_up());
        let acts: Vec<Activation> =
            if args.formulas.is_empty() { named.collect() } else { args.formulas.clone() };
        plot(&acts, path)?;
        note!("wrote {}", path.display());
    }
    if !args.formulas.is_empty() {
        return args.formulas.iter().try_for_each(|act| describe(*act, args));
    }
    let mut table = Table::new([
        label("name"),
        words("formula").at_least(30),
        number("derivative"),
        number("FFN parameters"),
        words("transformers"),
        words("llama.cpp"),
    ]);
    for act in Activation::named() {
        let (low, high) = act.function().derivative_range();
        let [llama, gpt2] = loads_in_transformers(act);
        let params = ffn_params(act, args.dim);
        table.add_row([
            Cell::new(act.name(), [("name", json!(act.name())), ("gated", json!(act.is_gated()))]),
            Cell::new(act.formula(), [("formula", json!(act.formula())), ("source", json!(act.source()))]),
            Cell::new(range(low, high), [("derivative_range", json!((low, high)))]),
            Cell::new(
                grouped(params),
                [("ffn_params", json!(params)), ("ffn_dim", json!(act.ffn_dim(args.dim)))],
            ),
            Cell::new(
                llama.unwrap_or("-").trim_end_matches("ForCausalLM"),
                [("transformers", json!({"llama": llama, "gpt2": gpt2}))],
            ),
            Cell::new(any_graph(act).unwrap_or("-"), [("llama_cpp", json!(any_graph(act)))]),
        ]);
    }
    if args.json {
        return print_record(&json!({"dim": args.dim, "activations": table.records()}));
    }
    args.wide.print(&table)?;
    say!(
        "
x is the up projection of an ungated FFN; g and u are gate and up projection.
`glu:NAME` gates a function of x. Names are functions: 'silu(2 * x) / 2'.
derivative      range on [-20, 20], with respect to x or to g at u = 1
FFN parameters  matrices of one layer, at width {}
transformers    class that loads a llama model; GPT2LMHeadModel for ungated gpt2
llama.cpp       graph that computes the activation",
        args.dim
    )?;
    Ok(())
}

fn range(low: f64, high: f64) -> String {
    format!("{low:.2} .. {high:.2}").replace("-0.00", "0.00")
}

/// What is known of one activation.
fn describe(act: Activation, args: &ActsArgs) -> Result<()> {
    let function = act.function();
    let (low, high) = function.derivative_range();
    let values = (-2000..=2000).map(|i| function.value(f64::from(i) * 0.01));
    let (least, most) = values.fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), y| (a.min(y), b.max(y)));
    let moments = on_standard_normal(&function);
    let cost = bench::activation_costs(&[act], Duration::from_millis(50))?.remove(0);
    let [llama, gpt2] = loads_in_transformers(act);
    let points: Vec<[f64; 3]> =
        [-4.0, -2.0, -1.0, 0.0, 1.0, 2.0, 4.0].map(|x| [x, function.value(x), function.derivative(x)]).into();
    let params = ffn_params(act, args.dim);
    if args.json {
        return print_record(&json!({
            "name": act.name(),
            "label": act.label(),
            "formula": act.formula(),
            "source": act.source(),
            "gated": act.is_gated(),
            "learned_scalars": function.named_scalars(),
            "points": points,
            "range": (least, most),
            "derivative_range": (low, high),
            "standard_normal": moments,
            "flops": act.program().flops(),
            "nanoseconds": {"forward": cost.forward, "backward": cost.backward},
            "ffn_dim": act.ffn_dim(args.dim),
            "ffn_params": params,
            "transformers": {"llama": llama, "gpt2": gpt2},
            "llama_cpp": any_graph(act),
            "trouble": act.trouble().map(|trouble| trouble.to_string()),
        }));
    }
    let input = if act.is_gated() { "g, at u = 1" } else { "x" };
    let learned = function.named_scalars();
    let learned: Vec<String> = learned.iter().map(|(name, value)| format!("{name} = {value:.4}")).collect();
    let learned = if learned.is_empty() {
        "none".to_string()
    } else {
        format!("{}, one value per layer", learned.join(", "))
    };
    say!("{}", act.label())?;
    say!("formula          {}", act.formula())?;
    say!("source           {}", if act.source().is_empty() { "this command" } else { act.source() })?;
    say!("learned scalars  {learned}")?;
    say!("range            {} on [-20, 20]", range(least, most))?;
    say!("derivative       {} with respect to {input}", range(low, high))?;
    say!("on N(0, 1)       mean {:.3}, std {:.3}", moments.mean, moments.std)?;
    say!(
        "cost             {:.0} operations; {:.2} ns forward, {:.2} ns backward per value",
        act.program().flops(),
        cost.forward,
        cost.backward
    )?;
    say!("FFN parameters   {} per layer, at width {}", grouped(params), args.dim)?;
    say!("transformers     {}", llama.unwrap_or("loads no model with it"))?;
    say!("llama.cpp        {}", any_graph(act).unwrap_or("loads no model with it"))?;
    if let Some(trouble) = act.trouble() {
        say!("warning          it has {trouble}")?;
    }
    let mut table = Table::new([number(input), number("value"), number("derivative")]);
    for point in points {
        table.add_row(point.map(|value| format!("{value:.4}")));
    }
    say!("")?;
    args.wide.print(&table)
}

fn loads_in_transformers(act: Activation) -> [Option<&'static str>; 2] {
    [Backbone::Llama, Backbone::Gpt2].map(|backbone| loads_in(backbone, act).ok())
}

/// llama.cpp's graph for either backbone.
fn any_graph(act: Activation) -> Option<&'static str> {
    [Backbone::Llama, Backbone::Gpt2].into_iter().find_map(|backbone| llama_cpp_graph(backbone, act))
}

/// Weights of one FFN with the default hidden size.
fn ffn_params(act: Activation, dim: usize) -> usize {
    act.ffn_matrices() * dim * act.ffn_dim(dim)
}

/// Draws value and derivative of each activation as small multiples.
fn plot(acts: &[Activation], path: &Path) -> Result<()> {
    let xs: Vec<f64> = (-200..=200).map(|i| f64::from(i) * 0.02).collect();
    let panel = |act: &Activation| {
        let function = act.function();
        Panel {
            title: act.label().into(),
            subtitle: act.formula().into(),
            x_range: (-4.0, 4.0),
            y_range: (-2.0, 4.0),
            curves: vec![
                Curve::new("value", xs.iter().map(|&x| (x, function.value(x))).collect()),
                Curve::dashed("derivative", xs.iter().map(|&x| (x, function.derivative(x))).collect()),
            ],
            area: Vec::new(),
        }
    };
    let panels: Vec<Panel> = acts.iter().map(panel).collect();
    // With three columns the labels are as large as the text of a usual page.
    replace(path, grid("Activations and their derivatives", &panels, 3).as_bytes())
}
