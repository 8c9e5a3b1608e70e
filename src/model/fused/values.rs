//! The values of tensors as slices, for kernels to read and to change in place.

use candle_core::{CpuStorage, InplaceOp1, Layout, Result, Storage, Tensor, Var};
use std::sync::{Mutex, PoisonError};

/// Calls `f` with the values of CPU tensors in f32.
pub fn with_values<R>(vars: &[Var], f: impl FnOnce(&[&[f32]]) -> R) -> Result<R> {
    let guards: Vec<_> = vars.iter().map(|var| var.storage_and_layout()).collect();
    let mut values = Vec::with_capacity(vars.len());
    for (storage, layout) in &guards {
        match (&**storage, layout.contiguous_offsets()) {
            (Storage::Cpu(CpuStorage::F32(all)), Some((start, end))) => values.push(&all[start..end]),
            _ => candle_core::bail!("the kernels compute on contiguous f32 tensors of the CPU"),
        }
    }
    Ok(f(&values))
}

/// Calls `f` with the values of several tensors, none of which may be given twice, to be changed.
pub fn with_all_values_mut<R>(tensors: &[&Tensor], f: impl FnOnce(Vec<&mut [f32]>) -> R) -> Result<R> {
    type Change<'a> = Box<dyn FnOnce(&mut [f32]) -> Result<()> + 'a>;
    fn open<R>(
        closed: &[&Tensor],
        opened: Vec<&mut [f32]>,
        f: impl FnOnce(Vec<&mut [f32]>) -> R,
    ) -> Result<R> {
        let Some((first, others)) = closed.split_first() else { return Ok(f(opened)) };
        let mut result = None;
        let slot = &mut result;
        // Boxed: each tensor's closure holds the next one's, and their types must end somewhere.
        let then: Change = Box::new(move |values| {
            let mut opened: Vec<&mut [f32]> = opened;
            opened.push(values);
            *slot = Some(open(others, opened, f)?);
            Ok(())
        });
        with_values_mut(first, then)?;
        result.ok_or_else(|| candle_core::Error::Msg("a tensor was not opened".into()))
    }
    open(tensors, Vec::with_capacity(tensors.len()), f)
}

/// Calls `f` with the values of a CPU tensor in f32, to be changed.
pub fn with_values_mut(tensor: &Tensor, f: impl FnOnce(&mut [f32]) -> Result<()>) -> Result<()> {
    struct Change<F>(Mutex<Option<F>>);
    impl<F: FnOnce(&mut [f32]) -> Result<()>> InplaceOp1 for Change<F> {
        fn name(&self) -> &'static str {
            "change"
        }

        fn cpu_fwd(&self, storage: &mut CpuStorage, layout: &Layout) -> Result<()> {
            let change = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
            match (storage, layout.contiguous_offsets(), change) {
                (CpuStorage::F32(all), Some((start, end)), Some(change)) => change(&mut all[start..end]),
                _ => candle_core::bail!("the kernels compute on contiguous f32 tensors of the CPU"),
            }
        }
    }
    tensor.inplace_op1(&Change(Mutex::new(Some(f))))
}
