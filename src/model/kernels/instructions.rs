//! The instruction set that the kernels run with.

use multiversion::multiversion;
use multiversion::target::target_cfg_f;

/// The name of the instruction set that the kernels choose on this machine.
#[multiversion(targets = "simd")]
pub fn instruction_set() -> &'static str {
    let known = [
        ("AVX-512", target_cfg_f!(target_feature = "avx512f")),
        ("AVX2", target_cfg_f!(target_feature = "avx2")),
        ("AVX", target_cfg_f!(target_feature = "avx")),
        ("SSE", target_cfg_f!(target_feature = "sse2")),
        ("NEON", target_cfg_f!(target_feature = "neon")),
    ];
    known.into_iter().find(|(_, chosen)| *chosen).map_or("scalar code", |(name, _)| name)
}
