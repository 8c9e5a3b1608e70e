//! `tinygpt acts`

use super::outputs::{Inputs, check_file};
use super::table::{Table, Wide, label, number, text};
use super::text::grouped;
use crate::activation::{Activation, Function};
use crate::report::panels::{Curve, Panel, grid};
use crate::run::checkpoint::{llama_cpp_graph, loads_in};
use crate::settings::{Backbone, LARGEST, within};
use crate::support::files::replace;
use crate::support::record;
use anyhow::Result;
use clap::Args;
use serde::Serialize;
use std::path::{Path, PathBuf};

#[derive(Args)]
#[command(after_help = "Example: tinygpt acts --dim 768 --plot activations.svg")]
pub struct ActsArgs {
    /// Model width to count FFN parameters at
    #[arg(long, value_name = "N", default_value_t = 768, value_parser = within(1..=LARGEST))]
    dim: usize,
    /// Draw every function and its derivative
    #[arg(long, value_name = "FILE.svg")]
    plot: Option<PathBuf>,
    /// Replace a file in the way that tinygpt didn't write
    #[arg(long, requires = "plot")]
    force: bool,
    #[command(flatten)]
    wide: Wide,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

pub fn run(args: &ActsArgs) -> Result<()> {
    if let Some(path) = &args.plot {
        check_file("--plot", path, &Inputs::default(), args.force)?;
        plot(path)?;
        note!("wrote {}", path.display());
    }
    if args.json {
        let activations = Activation::named().map(|act| ActRecord::new(act, args.dim)).collect();
        say!("{}", record::line(&ActsRecord { dim: args.dim, activations })?)?;
        return Ok(());
    }
    let mut table = Table::new([
        label("name"),
        text("formula").at_least(50),
        number("derivative"),
        number("FFN parameters"),
        text("transformers"),
        text("llama.cpp"),
    ]);
    for act in Activation::named() {
        let (low, high) = act.derivative_range();
        table.add_row([
            act.name(),
            act.formula(),
            format!("{low:.2} .. {high:.2}").replace("-0.00", "0.00"),
            grouped(ffn_params(act, args.dim)),
            loads_in(Backbone::Llama, act).map_or("-", short_class).to_string(),
            any_graph(act).unwrap_or("-").to_string(),
        ]);
    }
    table.print(&args.wide)?;
    say!("\nGated: f(Vx) * (Wx); `glu:NAME` gates any function. Derivative: range of f' on")?;
    say!("[-20, 20]. FFN parameters: at width {}. transformers: the class that loads a", args.dim)?;
    say!("checkpoint of the llama backbone; GPT2LMHeadModel loads those of gpt2 if ungated")?;
    say!("and known there. llama.cpp: the graph that computes the same.")?;
    Ok(())
}

/// llama.cpp's graph for the one backbone or the other.
fn any_graph(act: Activation) -> Option<&'static str> {
    [Backbone::Llama, Backbone::Gpt2].into_iter().find_map(|backbone| llama_cpp_graph(backbone, act))
}

/// Weights of one FFN at its default hidden size.
fn ffn_params(act: Activation, dim: usize) -> usize {
    act.ffn_matrices() * dim * act.ffn_dim(dim)
}

fn short_class(class: &'static str) -> &'static str {
    class.trim_end_matches("ForCausalLM")
}

/// What `--json` prints.
#[derive(Serialize)]
struct ActsRecord {
    dim: usize,
    activations: Vec<ActRecord>,
}

#[derive(Serialize)]
struct ActRecord {
    name: String,
    formula: String,
    gated: bool,
    source: &'static str,
    ffn_dim: usize,
    ffn_params: usize,
    derivative_range: (f64, f64),
    /// The class of transformers that loads a checkpoint, where one does.
    transformers: Classes,
    /// The graph of llama.cpp that computes the same, where one does.
    llama_cpp: Option<&'static str>,
}

#[derive(Serialize)]
struct Classes {
    llama: Option<&'static str>,
    gpt2: Option<&'static str>,
}

impl ActRecord {
    fn new(act: Activation, dim: usize) -> ActRecord {
        let class = |backbone| loads_in(backbone, act).ok();
        ActRecord {
            name: act.name(),
            formula: act.formula(),
            gated: act.gated,
            source: act.function.facts().source,
            ffn_dim: act.ffn_dim(dim),
            ffn_params: ffn_params(act, dim),
            derivative_range: act.derivative_range(),
            transformers: Classes { llama: class(Backbone::Llama), gpt2: class(Backbone::Gpt2) },
            llama_cpp: any_graph(act),
        }
    }
}

/// Small multiples: value and derivative of every pointwise function.
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
    // Three columns: on a page of the usual width the labels stay as large as its text.
    replace(path, grid("Activations and their derivatives", &panels, 3).as_bytes())
}
