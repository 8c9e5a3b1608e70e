//! `tinygpt acts`

use super::outputs::{Inputs, check_file};
use super::print::{Cell, Table, Wide, label, number, words};
use super::text::{grouped, print_record};
use crate::activation::{Activation, Function};
use crate::report::panels::{Curve, Panel, grid};
use crate::run::checkpoint::{llama_cpp_graph, loads_in};
use crate::settings::{Backbone, LARGEST, within};
use crate::support::files::replace;
use anyhow::Result;
use clap::Args;
use serde_json::json;
use std::path::{Path, PathBuf};

#[derive(Args)]
#[command(after_help = "Example: tinygpt acts --dim 768 --plot activations.svg")]
pub struct ActsArgs {
    /// Model width for the column of FFN parameters
    #[arg(long, value_name = "N", default_value_t = 768, value_parser = within(1..=LARGEST))]
    dim: usize,
    /// Draw every function and its derivative in an SVG file
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
        plot(path)?;
        note!("wrote {}", path.display());
    }
    let mut table = Table::new([
        label("name"),
        words("formula").at_least(50),
        number("derivative"),
        number("FFN parameters"),
        words("transformers"),
        words("llama.cpp"),
    ]);
    for act in Activation::named() {
        let (low, high) = act.derivative_range();
        let [llama, gpt2] = [Backbone::Llama, Backbone::Gpt2].map(|backbone| loads_in(backbone, act).ok());
        let params = ffn_params(act, args.dim);
        table.add_row([
            Cell::new(act.name(), [("name", json!(act.name())), ("gated", json!(act.gated))]),
            Cell::new(
                act.formula(),
                [("formula", json!(act.formula())), ("source", json!(act.function.facts().source))],
            ),
            Cell::new(
                format!("{low:.2} .. {high:.2}").replace("-0.00", "0.00"),
                [("derivative_range", json!((low, high)))],
            ),
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
Gated FFNs compute f(Vx) * (Wx); `glu:NAME` gates any function.
derivative      range of f' on [-20, 20]
FFN parameters  per layer, at width {}
transformers    class that loads a llama model; GPT2LMHeadModel for ungated gpt2
llama.cpp       graph that computes the activation",
        args.dim
    )?;
    Ok(())
}

/// llama.cpp's graph for either backbone.
fn any_graph(act: Activation) -> Option<&'static str> {
    [Backbone::Llama, Backbone::Gpt2].into_iter().find_map(|backbone| llama_cpp_graph(backbone, act))
}

/// Weights of one FFN with the default hidden size.
fn ffn_params(act: Activation, dim: usize) -> usize {
    act.ffn_matrices() * dim * act.ffn_dim(dim)
}

/// Draws value and derivative of every pointwise function as small multiples.
fn plot(path: &Path) -> Result<()> {
    let xs: Vec<f64> = (-200..=200).map(|i| f64::from(i) * 0.02).collect();
    let panels: Vec<Panel> = Function::ALL
        .iter()
        .map(|&function| Panel {
            title: function.facts().name.into(),
            subtitle: function.facts().formula.into(),
            x_range: (-4.0, 4.0),
            y_range: (-2.0, 4.0),
            curves: vec![
                Curve::new("value", xs.iter().map(|&x| (x, function.value(x))).collect()),
                Curve::dashed("derivative", xs.iter().map(|&x| (x, function.derivative(x))).collect()),
            ],
            area: Vec::new(),
        })
        .collect();
    // With three columns the labels are as large as the text of a usual page.
    replace(path, grid("Activations and their derivatives", &panels, 3).as_bytes())
}
