//! Runs in TensorBoard.

use super::*;

/// The second process begins before the last step of the first, as after a kill: its numbers count.
#[test]
fn tensorboard_shows_the_numbers_of_the_metrics_file_and_does_so_after_resuming() {
    let folder = folder();
    let Some(mut check) = script(&folder, "check_tensorboard.py") else { return };
    train(&folder, &["--out", "run", "--keep", "9"]);
    // Twelve steps of four values and three evaluations of two.
    assert_eq!(succeed(check.arg("run")), "54 values\n");

    let last = folder.path().join("run/last");
    std::fs::remove_file(&last).unwrap();
    std::fs::write(&last, "step-000005").unwrap();
    succeed(tinygpt(&folder).args(["train", "--resume", "run"]));
    assert_eq!(succeed(&mut check), "54 values\n");
}
