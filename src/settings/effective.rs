//! A recipe as settings: every value that a run uses, derived defaults included.

use super::{Length, Recipe, Settings};

impl Recipe {
    /// The settings with every default filled in. As flags they describe this recipe completely; a warmup
    /// that depends on the number of steps stays open.
    pub fn effective(&self) -> Settings {
        let training = &self.training;
        let (steps, epochs) = match training.length {
            Length::Steps(steps) => (Some(steps), None),
            Length::Epochs(epochs) => (None, Some(epochs)),
        };
        Settings {
            batch_size: Some(training.batch_size),
            grad_accum: Some(training.grad_accum),
            steps,
            epochs,
            lr: Some(training.lr),
            min_lr: Some(training.min_lr),
            warmup: training.warmup,
            weight_decay: Some(training.weight_decay),
            beta1: Some(training.beta1),
            beta2: Some(training.beta2),
            grad_clip: Some(training.grad_clip),
            skip_bad_steps: Some(training.skip_bad_steps),
            dropout: Some(training.dropout),
            ffn_init_scale: Some(training.ffn_init_scale),
            seed: Some(training.seed),
            eval_every: Some(training.eval_every),
            save_every: Some(training.save_every),
            keep: Some(training.keep),
            data: Some(self.data.clone()),
            val_data: self.val_data.clone(),
            encoding: self.encoding,
            tokenizer: Some(self.tokenizer.clone()),
            threads: self.threads,
            ops: Some(self.ops),
            device: Some(self.device),
            ..Settings::of_model(self.shape())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::PRESETS;
    use clap::Args;

    #[test]
    fn effective_settings_give_the_same_recipe_and_set_every_flag() {
        // `steps` and `epochs` are one choice; the others have no value until text and machine are known.
        let open = ["warmup", "epochs", "val-data", "encoding", "threads"];
        let command = Settings::augment_args(clap::Command::new("train"));
        for preset in PRESETS {
            let recipe = Recipe::new(Settings::preset(preset.name).unwrap()).unwrap();
            let effective = recipe.effective();
            let again = Recipe::new(effective.clone()).unwrap();
            assert!(again.trains_like(&recipe) && again.effective() == effective, "{}", preset.name);
            let said = effective.to_map();
            for flag in command.get_arguments().filter_map(|arg| arg.get_long()) {
                assert!(said.contains_key(flag) || open.contains(&flag), "{}: {flag}", preset.name);
            }
        }
    }
}
