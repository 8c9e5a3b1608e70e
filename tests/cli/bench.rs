//! `tinygpt bench`.

use super::*;

#[test]
fn bench_measures_speed_memory_and_every_activation() {
    let folder = folder();
    let small =
        ["bench", "--layers", "1", "--dim", "16", "--heads", "2", "--context", "16", "--seconds", "0"];
    let found = last_line(&succeed(tinygpt(&folder).args(small).arg("--json")));
    for key in ["train_tokens_per_second", "generate_tokens_per_second", "gemm_gflops", "mfu"] {
        assert!(found[key].as_f64().is_some_and(|value| value > 0.0), "{key}: {found}");
    }
    if cfg!(target_os = "linux") {
        assert!(found["peak_rss_mb"].as_f64().is_some_and(|megabytes| megabytes > 1.0), "{found}");
    }
    let costs = found["activations"].as_array().unwrap();
    let acts = last_line(&succeed(tinygpt(&folder).args(["acts", "--json"])));
    assert_eq!(costs.len(), acts["activations"].as_array().unwrap().len());
    for cost in costs {
        for key in ["forward_ns", "backward_ns"] {
            assert!(cost[key].as_f64().is_some_and(|time| time > 0.0), "{cost}");
        }
    }
}

#[test]
fn bench_can_run_one_part() {
    let folder = folder();
    let found = last_line(&succeed(tinygpt(&folder).args([
        "bench",
        "--only",
        "generate",
        "--seconds",
        "0",
        "--json",
    ])));
    assert!(found["generate_tokens_per_second"].is_number());
    assert!(found.get("train_tokens_per_second").is_none() && found.get("activations").is_none(), "{found}");
    fail(tinygpt(&folder).args(["bench", "--seconds", "-1"]), 2);
}
