//! Where the claims get their models: small ones, trained once and kept, so that an interrupted walk goes on
//! where it stopped and every model can be looked at afterwards.

use crate::activation::Activation;
use crate::bail_input;
use crate::data::Dataset;
use crate::lab::inspect::{Inspection, LayerInspection, inspect};
use crate::model::{Model, Params};
use crate::run::checkpoint::{load_model, load_trainer};
use crate::run::{LAST, RunDir};
use crate::settings::{Length, Ops, Recipe, Settings};
use crate::support::waiting::{Waiting, waiting};
use crate::train::{Trainer, TrainingRun, Watcher};
use anyhow::Result;
use candle_core::Device;
use std::collections::HashMap;
use std::path::Path;
use std::rc::Rc;

/// Validation tokens that a trained model is inspected on.
const INSPECTED: usize = 8192;
/// Units described of each layer.
const UNITS: usize = 3;

/// What to walk through the claims with.
pub struct Lab<'a> {
    folder: &'a Path,
    recipe: Recipe,
    /// Takes longer and sees more.
    pub deep: bool,
    /// Activations to measure beside those of the claims.
    more: &'a [Activation],
    /// Follows what is trained under a name.
    follow: &'a dyn Fn(&str) -> Box<dyn Watcher>,
    /// Fails if the walk is interrupted.
    poll: &'a dyn Fn() -> Result<()>,
    datasets: HashMap<String, Rc<Dataset>>,
    trained: HashMap<String, Trained>,
    inspections: HashMap<String, Rc<Inspection>>,
}

/// A model that was trained here.
#[derive(Clone)]
pub struct Trained {
    pub model: Rc<Model>,
    pub dataset: Rc<Dataset>,
    /// On the whole validation text, nats per token.
    pub loss: f64,
}

impl<'a> Lab<'a> {
    /// A lab that keeps its models below `folder` and trains them by `recipe`, with changes.
    pub fn new(
        folder: &'a Path,
        recipe: Recipe,
        deep: bool,
        more: &'a [Activation],
        follow: &'a dyn Fn(&str) -> Box<dyn Watcher>,
        poll: &'a dyn Fn() -> Result<()>,
    ) -> Lab<'a> {
        Lab {
            folder,
            recipe,
            deep,
            more,
            follow,
            poll,
            datasets: HashMap::new(),
            trained: HashMap::new(),
            inspections: HashMap::new(),
        }
    }

    /// A claim's activations, then the ones that were asked for besides.
    pub fn acts(&self, own: &[&str]) -> Result<Vec<Activation>> {
        let mut acts = own.iter().map(|name| name.parse()).collect::<Result<Vec<Activation>>>()?;
        for act in self.more {
            if !acts.contains(act) {
                acts.push(*act);
            }
        }
        Ok(acts)
    }

    /// The recipe with changes.
    pub fn recipe(&self, changes: &Settings) -> Result<Recipe> {
        self.recipe.with(changes)
    }

    /// The text that the recipe with these changes reads.
    pub fn dataset(&mut self, changes: &Settings) -> Result<Rc<Dataset>> {
        let recipe = self.recipe(changes)?;
        let Settings { data, tokenizer, .. } = changes;
        let name =
            name(&Settings { data: data.clone(), tokenizer: tokenizer.clone(), ..Settings::default() });
        if !self.datasets.contains_key(&name) {
            self.datasets.insert(name.clone(), Rc::new(Dataset::load(&recipe)?));
        }
        Ok(Rc::clone(&self.datasets[&name]))
    }

    /// The model of the recipe with these changes, trained now unless that was done before.
    pub fn train(&mut self, changes: &Settings) -> Result<Trained> {
        let name = name(changes);
        if let Some(trained) = self.trained.get(&name) {
            return Ok(trained.clone());
        }
        let dataset = self.dataset(changes)?;
        let recipe = self.recipe(changes)?;
        let directory = RunDir::take(&self.folder.join(&name))?;
        let mut run = match directory.checkpoint(LAST) {
            Some(checkpoint) => {
                let saved = Recipe::new(load_trainer(&checkpoint)?.settings)?;
                if !saved.trains_like(&recipe) || saved.training.length != recipe.training.length {
                    bail_input!(
                        "{} holds a model that was trained otherwise: name another --out, or remove it",
                        directory.path().display()
                    );
                }
                TrainingRun::resume(&recipe, &dataset, directory, &Device::Cpu)?
            }
            None => TrainingRun::new(Trainer::start(&recipe, &dataset, &Device::Cpu)?, directory),
        };
        let outcome = run.train((self.follow)(&name).as_mut())?;
        let model = Rc::new(load_model(&outcome.checkpoint, &Device::Cpu, Ops::Fused)?);
        let trained = Trained { model, dataset, loss: outcome.val_loss };
        self.trained.insert(name, trained.clone());
        Ok(trained)
    }

    /// Follows a piece of work, and ends it if the walk is interrupted.
    pub fn following<'b>(&'b self, waiting: &'b Waiting) -> impl FnMut(usize, usize) -> Result<()> + 'b {
        |done, all| {
            waiting.reached(done, all);
            (self.poll)()
        }
    }

    /// What `inspect` says of that model.
    pub fn inspect(&mut self, changes: &Settings) -> Result<Rc<Inspection>> {
        let name = name(changes);
        if !self.inspections.contains_key(&name) {
            let Trained { model, dataset, .. } = self.train(changes)?;
            let waiting = waiting(format!("inspecting {name}, tokens"));
            let most = (INSPECTED, UNITS);
            let mut follow = self.following(&waiting);
            let found = inspect(&model, &dataset.tokenizer, &dataset.val, most, &mut follow)?;
            drop(follow);
            self.inspections.insert(name.clone(), Rc::new(found));
        }
        Ok(Rc::clone(&self.inspections[&name]))
    }

    /// What `inspect` says of that model before its first step.
    pub fn inspect_fresh(&mut self, changes: &Settings) -> Result<Inspection> {
        let dataset = self.dataset(changes)?;
        let recipe = self.recipe(changes)?;
        let config = recipe.model(dataset.tokenizer.vocab_size())?;
        let params = Params::init(&config, recipe.training.seed, &Device::Cpu)?;
        let model = Model::new(config, params, Ops::Fused)?;
        let waiting = waiting(format!("inspecting {} before its first step, tokens", name(changes)));
        let mut follow = self.following(&waiting);
        inspect(&model, &dataset.tokenizer, &dataset.val, (INSPECTED, 0), &mut follow)
    }

    /// The changes with the steps that a model needs to know its facts.
    pub fn knowing(&self, changes: Settings) -> Result<Settings> {
        let times = if self.deep { 10 } else { 4 };
        Ok(Settings { steps: Some(times * self.steps()?), ..changes })
    }

    /// Steps for a model that is trained by the reference, which is slower: half the recipe's.
    pub fn output_steps(&self) -> Result<usize> {
        Ok((self.steps()? / 2).max(1))
    }

    fn steps(&self) -> Result<usize> {
        match self.recipe.training.length {
            Length::Steps(steps) => Ok(steps),
            Length::Epochs(_) => bail_input!("the claims count in --steps, not in epochs"),
        }
    }
}

/// The recipe's model with this activation.
pub fn with(act: Activation) -> Settings {
    Settings { act: Some(act), ..Settings::default() }
}

/// The recipe's model with the activation of this name.
pub fn act(name: &str) -> Settings {
    Settings { act: name.parse().ok(), ..Settings::default() }
}

/// The name of a model's directory: what it was told beyond the recipe, `gelu-layers8-seed2`.
fn name(changes: &Settings) -> String {
    let said = changes.to_map();
    let value = |value: &serde_json::Value| value.as_str().map_or(value.to_string(), str::to_string);
    let act = changes.act.map(Activation::file_name);
    let others = said.iter().filter(|(key, _)| key.as_str() != "act");
    let others = others.map(|(key, said)| match key.as_str() {
        // Their values speak for themselves.
        "backbone" | "data" | "tokenizer" => value(said),
        key => format!("{key}{}", value(said)),
    });
    act.into_iter().chain(others).collect::<Vec<_>>().join("-").replace(':', "-")
}

/// The mean over a model's layers.
pub fn mean_over_layers(inspection: &Inspection, value: impl Fn(&LayerInspection) -> f64) -> f64 {
    inspection.layers.iter().map(value).sum::<f64>() / inspection.layers.len() as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn different_model_changes_get_different_names() {
        let deeper = Settings { layers: Some(8), seed: Some(2), ..act("gelu") };
        assert_eq!(name(&act("gelu")), "gelu");
        assert_eq!(name(&deeper), "gelu-layers8-seed2");
        let tales = Settings { data: Some("tales:ja".to_string()), ..act("relu") };
        assert_eq!(name(&tales), "relu-tales-ja");
    }
}
