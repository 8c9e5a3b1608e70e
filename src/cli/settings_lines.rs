//! The settings that a run uses, as its plan shows them.

use crate::model::kernels::instruction_set;
use crate::support::output::{grouped, setting};
use crate::train::Plan;

/// The settings of a run in lines of at most about 80 columns.
pub fn settings_lines(plan: &Plan) -> Vec<String> {
    let (recipe, training) = (&plan.recipe, &plan.recipe.training);
    vec![
        format!(
            "AdamW   lr {}, cosine to {}, warmup {}; decay {}, betas {} {}, clip {}",
            setting(training.lr),
            setting(training.min_lr),
            grouped(plan.warmup),
            training.weight_decay,
            training.beta1,
            training.beta2,
            training.grad_clip,
        ),
        format!(
            "batch   {} sequences x {}; dropout {}, seed {}, tokenizer {}",
            training.batch_size, training.grad_accum, training.dropout, training.seed, recipe.tokenizer
        ),
        format!(
            "machine {}, {}, threads {}, f32, {} operations",
            recipe.device,
            instruction_set(),
            rayon::current_num_threads(),
            serde_json::json!(recipe.ops).as_str().unwrap_or_default(),
        ),
    ]
}
