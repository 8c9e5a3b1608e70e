//! The instruction set that the kernels run with.

use multiversion::multiversion;
use multiversion::target::target_cfg_f;

/// The name of the instruction set that the kernels choose on this machine.
#[multiversion(targets = "simd")]
pub fn instruction_set() -> &'static str {
    if target_cfg_f!(target_feature = "avx512f") {
        "AVX-512"
    } else if target_cfg_f!(target_feature = "avx2") {
        "AVX2"
    } else if target_cfg_f!(target_feature = "avx") {
        "AVX"
    } else if target_cfg_f!(target_feature = "sse2") {
        "SSE"
    } else if target_cfg_f!(target_feature = "neon") {
        "NEON"
    } else {
        "scalar code"
    }
}
