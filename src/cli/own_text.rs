//! The text that a command reads beside a checkpoint: the one that `--data` names, or the run's own
//! validation text, found by the paths in its `trainer.json` from whichever directory.

use crate::data::{Corpus, Source, Tokenizer, Tokens};
use crate::run::checkpoint::{TrainerState, encoding_of, load_trainer};
use crate::settings::{Ops, TextEncoding};
use crate::support::home;
use crate::{bail_input, input_error};
use anyhow::Result;
use std::path::{Path, PathBuf};

/// A text to score or to look at, as tokens.
pub struct TestText {
    pub name: String,
    pub tokens: Tokens,
    /// UTF-8 bytes of the text.
    pub text_bytes: usize,
    /// The same; none if the tokenizer drops some of the text.
    pub bytes: Option<usize>,
    /// Surprisal of the text under the distribution it was drawn from, nats, where known.
    pub floor: Option<f64>,
    /// The arithmetic that gives the loss of the run, bit for bit.
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
                let encoding = match encoding {
                    Some(encoding) => Some(encoding),
                    None => encoding_of(checkpoint)?,
                };
                (Corpus::validation(&source.parse()?, encoding)?, None)
            }
            None => {
                let run = trainer_state(checkpoint)?;
                (validation_text(&run, checkpoint)?, Some(run))
            }
        };
        for note in &corpus.notes {
            note!("{note}");
        }
        let dropped = tokenizer.dropped(&corpus.val)?.note();
        if let Some(note) = &dropped {
            note!("{}: {note}", corpus.name);
        }
        let tokens = Tokens::encode(&corpus.val, tokenizer)?;
        if tokens.len() < 2 {
            bail_input!("{} has {} token; at least 2 are needed", corpus.name, tokens.len());
        }
        let before = run.as_ref().and_then(|run| run.text_tokens).map(|(_, validation)| validation);
        if let Some(before) = before.filter(|before| *before != tokens.len()) {
            note!(
                "warning: {} has changed since the run: {} validation tokens, not {before}",
                corpus.name,
                tokens.len()
            );
        }
        Ok(TestText {
            text_bytes: corpus.val.text().len(),
            bytes: dropped.is_none().then(|| corpus.val.text().len()),
            tokens,
            name: corpus.name,
            floor: corpus.floor.filter(|_| dropped.is_none()),
            ops: run.and_then(|run| run.settings.ops).unwrap_or(Ops::Fused),
        })
    }
}

fn trainer_state(checkpoint: &Path) -> Result<TrainerState> {
    if !checkpoint.join("trainer.json").is_file() {
        bail_input!(
            "{} doesn't say which text it was trained on; name a text with --data",
            checkpoint.display()
        );
    }
    load_trainer(checkpoint)
}

fn validation_text(run: &TrainerState, checkpoint: &Path) -> Result<Corpus> {
    let shown = checkpoint.display();
    let (places, settings) = (Places::of(run, checkpoint), &run.settings);
    let text = settings.val_data.as_ref().or(settings.data.as_ref()).map_or("", String::as_str);
    if text == "-" {
        bail_input!("{shown} was trained on standard input; name a text with --data");
    }
    let text = places.find(text, "--data")?;
    let corpus = match settings.val_data {
        Some(_) => Corpus::validation(&text.parse()?, settings.encoding),
        None => Corpus::load(&text, None, settings.encoding),
    };
    corpus.map_err(|error| input_error!("cannot read the text of {shown}: {error:#}; name one with --data"))
}

/// Directories that the relative paths of a run may start from.
pub struct Places(Vec<PathBuf>);

impl Places {
    /// The directory that the run was started in, the current one, and those that hold the run.
    pub fn of(run: &TrainerState, checkpoint: &Path) -> Places {
        let checkpoint = checkpoint.canonicalize().unwrap_or_default();
        // The checkpoint's directory is in that of its run, which may be in that of a comparison.
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

    /// A text as `--data` names it from the current directory, in the first place that has it. `flag` can
    /// name it where no place does.
    pub fn find(&self, text: &str, flag: &str) -> Result<String> {
        let Source::Files(pattern) = text.parse()? else { return Ok(text.to_string()) };
        let relative = home::expand(Path::new(&pattern));
        if relative.is_absolute() {
            if existing(Path::new("/"), &relative).is_none() {
                bail_input!("cannot find {text}, the text of the run; say where it is with {flag}");
            }
            return Ok(text.to_string());
        }
        let here = std::env::current_dir().ok();
        match self.0.iter().find_map(|place| Some((place, existing(place, &relative)?))) {
            Some((place, _)) if here.as_ref() == Some(place) => Ok(text.to_string()),
            Some((_, path)) => Ok(path.display().to_string()),
            None => {
                let tried =
                    self.0.iter().map(|place| home::shorten(&place.join(&relative).to_string_lossy()));
                let tried: Vec<String> = tried.collect();
                bail_input!(
                    "cannot find {text}, the text of the run, at {}; say where it is with {flag}",
                    tried.join(" or ")
                )
            }
        }
    }
}

/// The file, directory or pattern `relative` in `place`, if there is any.
fn existing(place: &Path, relative: &Path) -> Option<PathBuf> {
    let path = place.join(relative);
    if path.exists() {
        return Some(path);
    }
    let pattern = Path::new(&glob::Pattern::escape(&place.to_string_lossy())).join(relative);
    let mut matches = glob::glob(&pattern.to_string_lossy()).ok()?;
    matches.next().map(|_| pattern)
}
