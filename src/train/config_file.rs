//! `config.toml`: the settings of a run with every default filled in, as `--model FILE` reads them.

use super::run::TrainingRun;
use crate::settings::Settings;
use anyhow::Result;
use toml::Value;

impl TrainingRun<'_> {
    /// The text of the run's `config.toml`.
    pub(super) fn config_file(&self) -> Result<String> {
        let resolved = Settings {
            steps: Some(self.trainer.state.steps),
            warmup: Some(self.trainer.schedule.warmup),
            ..Settings::default()
        };
        let settings = resolved.over(&self.trainer.recipe.effective());
        let first = match &self.trainer.state.init {
            Some(init) => format!(
                "# The settings of this run, which began with the weights of {init:?}: for fresh weights,\n"
            ),
            None => "# The settings of this run, every default filled in. To repeat it:\n".to_string(),
        };
        let mut text = first + "# tinygpt train --model config.toml\n\n";
        for (key, value) in settings.to_map() {
            text += &format!("{key} = {}\n", Value::try_from(value)?);
        }
        Ok(text)
    }
}
