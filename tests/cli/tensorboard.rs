//! TensorBoard event files, checked with TensorBoard.

use super::*;

/// The second process resumes before the last step of the first, as after a kill. Its numbers replace the first's.
#[test]
fn tensorboard_matches_metrics_also_after_resuming() {
    let folder = folder();
    let Some(mut check) = script(&folder, "check_tensorboard.py") else { return };
    train(&folder, &["--out", "run", "--keep", "9"]);
    // Twelve steps with four values each and three evaluations with two each.
    assert_eq!(succeed(check.arg("run")), "54 values\n");

    let last = folder.path().join("run/last");
    std::fs::remove_file(&last).unwrap();
    std::fs::write(&last, "step-000005").unwrap();
    succeed(tinygpt(&folder).args(["train", "--resume", "run"]));
    assert_eq!(succeed(&mut check), "54 values\n");
}
