//! The text that a command reads along with a checkpoint: the one `--data` names, or the validation text of
//! the run, found by the paths in its `trainer.json`.

use crate::data::{Corpus, Source, Tokenizer, Tokens};
use crate::run::checkpoint::{TrainerState, encoding_of, load_trainer};
use crate::settings::{Ops, TextEncoding};
use crate::support::{home, numbers::counted};
use crate::{bail_input, input_error};
use anyhow::Result;
use std::path::{Path, PathBuf};

/// A text to score or to inspect, as tokens.
pub struct TestText {
    pub name: String,
    pub tokens: Tokens,
    /// UTF-8 bytes of the text.
    pub text_bytes: usize,
    /// `text_bytes`, or `None` if the tokenizer drops some of the text.
    pub bytes: Option<usize>,
    /// Entropy of the text under the distribution that it was drawn from, in nats, if known.
    pub floor: Option<f64>,
    /// The arithmetic that reproduces the loss of the run bit for bit.
    pub ops: Ops,
}

impl TestText {
    /// Reads the text that `data` names or, without it, the validation text of the checkpoint's run.
    pub fn read(
        data: Option<&str>,
        encoding: Option<TextEncoding>,
        checkpoint: &Path,
        tokenizer: &Tokenizer,
    ) -> Result<TestText> {
        let (corpus, run) = match data {
            Some(source) => {
                let encoding = encoding.map_or_else(|| encoding_of(checkpoint), |own| Ok(Some(own)))?;
                (Corpus::validation(&source.parse()?, encoding)?, None)
            }
            None => validation_text(checkpoint).map(|(corpus, run)| (corpus, Some(run)))?,
        };
        corpus.notes.iter().for_each(|note| note!("{note}"));
        let dropped = tokenizer.dropped(&corpus.val)?.note();
        if let Some(note) = &dropped {
            note!("{}: {note}", corpus.name);
        }
        let tokens = Tokens::encode(&corpus.val, tokenizer)?;
        if tokens.len() < 2 {
            bail_input!("{} has {}; at least 2 are needed", corpus.name, counted(tokens.len(), "token"));
        }
        let before = run.as_ref().and_then(|run| run.text_tokens).map(|(_, validation)| validation);
        if let Some(before) = before.filter(|before| *before != tokens.len()) {
            note!(
                "warning: {} has changed since the run: its validation text has {} instead of {before}",
                corpus.name,
                counted(tokens.len(), "token")
            );
        }
        let text_bytes = corpus.val.text().len();
        Ok(TestText {
            text_bytes,
            bytes: dropped.is_none().then_some(text_bytes),
            tokens,
            name: corpus.name,
            floor: corpus.floor.filter(|_| dropped.is_none()),
            ops: run.and_then(|run| run.settings.ops).unwrap_or(Ops::Fused),
        })
    }
}

/// The validation text of the checkpoint's run, and the state of the run.
fn validation_text(checkpoint: &Path) -> Result<(Corpus, TrainerState)> {
    let shown = checkpoint.display();
    if !checkpoint.join("trainer.json").is_file() {
        bail_input!("{shown} doesn't say which text it was trained on; name a text with --data");
    }
    let run = load_trainer(checkpoint)?;
    let settings = &run.settings;
    let text = settings.val_data.as_ref().or(settings.data.as_ref()).map_or("", String::as_str);
    if text == "-" {
        bail_input!("{shown} was trained on standard input; name a text with --data");
    }
    let text = Places::of(&run, checkpoint).find(text, "--data")?;
    let corpus = match settings.val_data {
        Some(_) => Corpus::validation(&text.parse()?, settings.encoding),
        None => Corpus::load(&text, None, settings.encoding),
    };
    let failed = |error| input_error!("cannot read the text of {shown}: {error:#}; name one with --data");
    Ok((corpus.map_err(failed)?, run))
}

/// Directories that the relative paths in a run's settings may start from.
pub struct Places(Vec<PathBuf>);

impl Places {
    /// The directory that the run was started in, the current directory, and those that hold the run.
    pub fn of(run: &TrainerState, checkpoint: &Path) -> Places {
        let checkpoint = checkpoint.canonicalize().unwrap_or_default();
        // The checkpoint is in the directory of its run, which may be in that of a comparison.
        let above = checkpoint.ancestors().skip(2).take(3).map(Path::to_path_buf);
        let started_in = run.started_in.iter().map(|directory| home::expand(Path::new(directory)));
        let mut places: Vec<PathBuf> = Vec::new();
        for place in started_in.chain(std::env::current_dir()).chain(above) {
            if !places.contains(&place) {
                places.push(place);
            }
        }
        Places(places)
    }

    /// The text that a run calls `text`, as `--data` names it from the current directory.
    ///
    /// # Errors
    /// If no place has it. The message tells to use `flag`.
    pub fn find(&self, text: &str, flag: &str) -> Result<String> {
        let Source::Files(pattern) = text.parse()? else { return Ok(text.to_string()) };
        let pattern = home::expand(Path::new(&pattern));
        let is_absolute = pattern.is_absolute();
        let places = if is_absolute { &[PathBuf::from("/")] } else { self.0.as_slice() };
        let here = std::env::current_dir().ok();
        for place in places {
            if let Some(path) = existing(place, &pattern) {
                let is_as_typed = is_absolute || here.as_ref() == Some(place);
                return Ok(if is_as_typed { text.to_string() } else { path.display().to_string() });
            }
        }
        let tried = places.iter().map(|place| home::shorten(&place.join(&pattern).to_string_lossy()));
        bail_input!(
            "cannot find {text}, the text of the run; tried {}. Name it with {flag}.",
            tried.collect::<Vec<_>>().join(", ")
        )
    }
}

/// The file, directory or pattern `relative` in `place`, if it matches anything.
fn existing(place: &Path, relative: &Path) -> Option<PathBuf> {
    let path = place.join(relative);
    if path.exists() {
        return Some(path);
    }
    let pattern = Path::new(&glob::Pattern::escape(&place.to_string_lossy())).join(relative);
    let mut matches = glob::glob(&pattern.to_string_lossy()).ok()?;
    matches.next().map(|_| pattern)
}
