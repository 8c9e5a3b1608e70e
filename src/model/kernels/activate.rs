//! An activation and its gradients over f32: one operation of its list at a time, over a block of values that stays
//! in L1.

use super::lane::{self, fused};
use crate::activation::Activation;
use crate::activation::list::{Id, List, Node};
use crate::activation::operations::{Binary, Unary};
use multiversion::multiversion;
use std::ops::Range;

/// Values per operation: 2 KB. The results that are needed at once fit into L1, and choosing an operation costs
/// little beside its work.
const BLOCK: usize = 512;

type Block = [f32; BLOCK];

/// A list of operations, and a block for the result of each.
struct Code<'l> {
    nodes: &'l [Node],
    outputs: &'l [Id],
    /// The block of each result. Results that are never needed at once share one.
    block_of: Vec<usize>,
    blocks: Vec<Vec<f32>>,
    /// The output that a result is for, where no other operation needs it.
    only_for: Vec<Option<usize>>,
}

impl<'l> Code<'l> {
    fn new(List { nodes, outputs }: &'l List, scalars: &[f32]) -> Code<'l> {
        let mut last_use = vec![0; nodes.len()];
        for (id, node) in nodes.iter().enumerate() {
            node.operands().for_each(|operand| last_use[operand] = id);
        }
        let mut only_for = vec![None; nodes.len()];
        for (index, &id) in outputs.iter().enumerate() {
            only_for[id] = (last_use[id] == 0 && !nodes[id].is_leaf()).then_some(index);
            last_use[id] = nodes.len();
        }
        let mut code = Code { nodes, outputs, block_of: Vec::new(), blocks: Vec::new(), only_for };
        let mut free = Vec::new();
        for (id, node) in code.nodes.iter().enumerate() {
            // Constants, scalars and inputs keep their blocks, from one block of values to the next.
            let block = if node.is_leaf() { None } else { free.pop() };
            let block = block.unwrap_or(code.blocks.len());
            if block == code.blocks.len() {
                code.blocks.push(vec![0.0; BLOCK]);
            }
            match *node {
                Node::Constant(value) => code.blocks[block].fill(value as f32),
                Node::Scalar(i) => code.blocks[block].fill(scalars[i]),
                _ => {}
            }
            code.block_of.push(block);
            let mut done: Vec<Id> = node.operands().filter(|operand| last_use[*operand] == id).collect();
            done.sort_unstable();
            done.dedup();
            free.extend(done.iter().filter(|id| !code.nodes[**id].is_leaf()).map(|id| code.block_of[*id]));
        }
        code
    }

    /// Runs these operations on at most [`BLOCK`] values, and writes the first outputs to `outs`.
    fn compute(&mut self, operations: Range<Id>, inputs: [&[f32]; 3], outs: &mut [&mut [f32]]) {
        run(self, operations, inputs, outs);
        for (index, out) in outs.iter_mut().enumerate() {
            let is_there = self.only_for[self.outputs[index]].is_some() && out.len() == BLOCK;
            if !is_there {
                out.copy_from_slice(&self.output(index, inputs)[..out.len()]);
            }
        }
    }

    /// An output that wasn't written to `outs`.
    fn output<'a>(&'a self, index: usize, inputs: [&'a [f32]; 3]) -> &'a [f32] {
        let id = self.outputs[index];
        match self.nodes[id] {
            Node::Input(i) => inputs[i],
            _ => &self.blocks[self.block_of[id]],
        }
    }
}

/// The values from `at` of each input that isn't empty.
fn part(inputs: [&[f32]; 2], at: usize, length: usize) -> [&[f32]; 2] {
    inputs.map(|input| if input.is_empty() { input } else { &input[at..at + length] })
}

/// out = f(inputs), element by element: inputs are the up projection and an empty slice, or gate and up projection.
pub fn forward(act: Activation, scalars: &[f32], inputs: [&[f32]; 2], out: &mut [f32]) {
    let mut code = Code::new(&act.program().forward, scalars);
    for (block, out) in out.chunks_mut(BLOCK).enumerate() {
        let [first, second] = part(inputs, block * BLOCK, out.len());
        code.compute(0..code.nodes.len(), [first, second, &[]], &mut [out]);
    }
}

/// The backward pass: from the gradient of the hidden values in `hidden`, the gradients of the inputs into
/// `gradients`; `hidden` becomes the hidden values. The gradients of the learned scalars are added to `of_scalars`.
pub fn backward(
    act: Activation,
    scalars: &[f32],
    inputs: [&[f32]; 2],
    hidden: &mut [f32],
    gradients: [&mut [f32]; 2],
    of_scalars: &mut [f64],
) {
    let mut code = Code::new(&act.program().training, scalars);
    let count = act.program().inputs();
    // The gradient of a block has been read when its value takes its place.
    let end = code.nodes.len();
    let value_alone = if code.only_for[code.outputs[count]].is_some() { end - 1..end } else { end..end };
    let [mut first_gradient, mut second_gradient] = gradients.map(|gradient| gradient.chunks_mut(BLOCK));
    for (block, hidden) in hidden.chunks_mut(BLOCK).enumerate() {
        let [first, second] = part(inputs, block * BLOCK, hidden.len());
        let inputs = [first, second, &*hidden];
        let mut outs =
            [&mut first_gradient, &mut second_gradient].map(|chunks| chunks.next().unwrap_or_default());
        code.compute(0..value_alone.start, inputs, &mut outs[..count]);
        for (i, sum) in of_scalars.iter_mut().enumerate() {
            *sum += dot(code.output(count + 1 + i, inputs), hidden);
        }
        let mut outs = [&mut [][..], &mut [], hidden];
        code.compute(value_alone.clone(), [first, second, &[]], &mut outs[2 - count..]);
    }
}

/// In f64 and in a fixed order: sixteen sums, so that no addition waits for the one before.
fn dot(a: &[f32], b: &[f32]) -> f64 {
    let mut sums = [0.0f64; 16];
    for (a, b) in a.chunks(16).zip(b.chunks(16)) {
        for ((sum, a), b) in sums.iter_mut().zip(a).zip(b) {
            *sum += f64::from(*a) * f64::from(*b);
        }
    }
    sums.iter().sum()
}

#[multiversion(targets = "simd")]
fn run(code: &mut Code<'_>, operations: Range<Id>, inputs: [&[f32]; 3], outs: &mut [&mut [f32]]) {
    const FMA: bool = fused!();
    // A whole block of inputs is read where it is, and a shorter one is copied. Outputs likewise.
    let whole = inputs.map(|input| <&Block>::try_from(input).ok());
    for id in operations {
        let node = code.nodes[id];
        let is_known = match node {
            Node::Input(i) => whole[i].is_some(),
            node => node.is_leaf(),
        };
        if is_known {
            continue;
        }
        let mut own = std::mem::take(&mut code.blocks[code.block_of[id]]);
        let out = code.only_for[id].and_then(|i| <&mut Block>::try_from(&mut **outs.get_mut(i)?).ok());
        let out = out.unwrap_or_else(|| block_mut(&mut own));
        let value = |id: Id| match code.nodes[id] {
            Node::Input(i) => whole[i].unwrap_or_else(|| block(&code.blocks[code.block_of[id]])),
            _ => block(&code.blocks[code.block_of[id]]),
        };
        match node {
            Node::Constant(_) | Node::Scalar(_) => {}
            Node::Input(i) => out[..inputs[i].len()].copy_from_slice(inputs[i]),
            Node::Unary(op, a) => unary::<FMA>(op, value(a), out),
            Node::Binary(op, a, b) => binary::<FMA>(op, value(a), value(b), out),
            Node::Select(condition, a, b) => select(value(condition), value(a), value(b), out),
            Node::MultiplyAdd(a, b, c) => zip3(value(a), value(b), value(c), out, lane::multiply_add::<FMA>),
            Node::SubtractProduct(a, b, c) => {
                zip3(value(a), value(b), value(c), out, |a, b, c| lane::multiply_add::<FMA>(-a, b, c));
            }
        }
        code.blocks[code.block_of[id]] = own;
    }
}

fn block(values: &[f32]) -> &Block {
    values.try_into().expect("a block")
}

fn block_mut(values: &mut [f32]) -> &mut Block {
    values.try_into().expect("a block")
}

/// By bits and without a choice, which compilers turn into SIMD: 1 has an odd exponent, and 0 an even one.
#[inline(always)]
fn select(condition: &Block, a: &Block, b: &Block, out: &mut Block) {
    for i in 0..BLOCK {
        let mask = 0u32.wrapping_sub(condition[i].to_bits() >> 23 & 1);
        out[i] = f32::from_bits(a[i].to_bits() & mask | b[i].to_bits() & !mask);
    }
}

#[inline(always)]
fn unary<const FMA: bool>(op: Unary, a: &Block, out: &mut Block) {
    match op {
        Unary::Negate => map(a, out, |x| -x),
        Unary::Exp => map(a, out, lane::exp::<FMA>),
        Unary::Ln => map(a, out, lane::ln::<FMA>),
        Unary::Sqrt => map(a, out, f32::sqrt),
        Unary::Abs => map(a, out, f32::abs),
        Unary::Sign => map(a, out, |x| f32::from(i8::from(x > 0.0) - i8::from(x < 0.0))),
        Unary::Sigmoid => map(a, out, lane::sigmoid::<FMA>),
        Unary::Tanh => map(a, out, lane::tanh::<FMA>),
        Unary::Erf => map(a, out, |x| lane::erf_of_scaled::<FMA>(x * std::f32::consts::SQRT_2)),
        Unary::Sin => map(a, out, lane::sin::<FMA>),
        Unary::Cos => map(a, out, lane::cos::<FMA>),
        Unary::Softplus => map(a, out, lane::softplus::<FMA>),
        Unary::NormalCdf => map(a, out, |x| 0.5 * lane::erf_of_scaled::<FMA>(x) + 0.5),
        Unary::NormalPdf => map(a, out, lane::normal_pdf::<FMA>),
    }
}

#[inline(always)]
fn binary<const FMA: bool>(op: Binary, a: &Block, b: &Block, out: &mut Block) {
    let truth = |holds: bool| if holds { 1.0 } else { 0.0 };
    match op {
        Binary::Add => zip(a, b, out, |a, b| a + b),
        Binary::Subtract => zip(a, b, out, |a, b| a - b),
        Binary::Multiply => zip(a, b, out, |a, b| a * b),
        Binary::Divide => zip(a, b, out, |a, b| a / b),
        Binary::Minimum => zip(a, b, out, |a, b| if a < b { a } else { b }),
        Binary::Maximum => zip(a, b, out, |a, b| if a > b { a } else { b }),
        // Without a closure, which compilers would call for each value: this function is long.
        Binary::Power => {
            for i in 0..BLOCK {
                out[i] = lane::power::<FMA>(a[i], b[i]);
            }
        }
        Binary::Less => zip(a, b, out, |a, b| truth(a < b)),
        Binary::AtMost => zip(a, b, out, |a, b| truth(a <= b)),
        Binary::Equal => zip(a, b, out, |a, b| truth(a == b)),
    }
}

#[inline(always)]
fn map(a: &Block, out: &mut Block, f: impl Fn(f32) -> f32) {
    for i in 0..BLOCK {
        out[i] = f(a[i]);
    }
}

#[inline(always)]
fn zip(a: &Block, b: &Block, out: &mut Block, f: impl Fn(f32, f32) -> f32) {
    for i in 0..BLOCK {
        out[i] = f(a[i], b[i]);
    }
}

#[inline(always)]
fn zip3(a: &Block, b: &Block, c: &Block, out: &mut Block, f: impl Fn(f32, f32, f32) -> f32) {
    for i in 0..BLOCK {
        out[i] = f(a[i], b[i], c[i]);
    }
}

#[cfg(test)]
mod tests {
    //! Kernels compute what f64 and tensors do.

    use super::*;
    use candle_core::{Device, Var};

    /// f32 kernels, tensors and f64 run one list. They must be one function, also at 0 and far out, where careless forms
    /// give NaN.
    #[test]
    fn kernels_and_tensors_compute_what_f64_does() {
        let points: Vec<f32> =
            (-600..=600).map(|i| i as f32 * 0.01).chain([-1e3, -50.0, 50.0, 1e3]).collect();
        let up: Vec<f32> = points.iter().map(|x| (0.7 * x).clamp(-3.0, 3.0)).collect();
        for act in Activation::named() {
            let program = act.program();
            let scalars: Vec<f32> = program.initial().iter().map(|value| *value as f32).collect();
            let inputs: Vec<&[f32]> = [points.as_slice(), &up].into_iter().take(program.inputs()).collect();
            let vars: Vec<Var> = inputs.iter().map(|input| Var::new(*input, &Device::Cpu).unwrap()).collect();
            let learned: Vec<Var> =
                scalars.iter().map(|value| Var::new(&[*value], &Device::Cpu).unwrap()).collect();
            let tensors = |vars: &[Var]| vars.iter().map(|var| var.as_tensor().clone()).collect::<Vec<_>>();
            let y = program.over_tensors(&tensors(&vars), &tensors(&learned)).unwrap();
            let by_autograd = y.sum_all().unwrap().backward().unwrap();
            let mut values = vec![1.0; points.len()];
            let (mut first, mut second) = (vec![0.0; points.len()], vec![0.0; points.len()]);
            let mut of_scalars = vec![0.0; scalars.len()];
            let both = [inputs[0], inputs.get(1).copied().unwrap_or_default()];
            backward(act, &scalars, both, &mut values, [&mut first, &mut second], &mut of_scalars);
            let mut alone = vec![0.0; points.len()];
            forward(act, &scalars, both, &mut alone);
            assert_eq!(alone, values, "{act}");
            let tensor_values: Vec<f32> = y.to_vec1().unwrap();
            let tensor_slopes: Vec<f32> = by_autograd.get(&vars[0]).unwrap().to_vec1().unwrap();
            let mut sums = vec![0.0; scalars.len()];
            for (i, x) in points.iter().enumerate() {
                let exact: Vec<f64> = inputs.iter().map(|input| f64::from(input[i])).collect();
                let (value, slopes) = program.at(&exact, &program.initial());
                let is_near = |got: f32, want: f64| {
                    (f64::from(got) - want).abs() <= 4e-6 * want.abs().max(x.abs().max(1.0).into())
                };
                assert!(
                    is_near(values[i], value) && is_near(tensor_values[i], value),
                    "{act}({exact:?}): {} {} {value}",
                    values[i],
                    tensor_values[i]
                );
                assert!(
                    is_near(first[i], slopes[0]) && is_near(tensor_slopes[i], slopes[0]),
                    "{act}'({exact:?}): {} {} {}",
                    first[i],
                    tensor_slopes[i],
                    slopes[0]
                );
                sums.iter_mut().zip(&slopes[program.inputs()..]).for_each(|(sum, slope)| *sum += slope);
            }
            for (i, sum) in sums.iter().enumerate() {
                assert!((of_scalars[i] / sum - 1.0).abs() < 1e-4, "{act}: {of_scalars:?}, not {sums:?}");
            }
        }
    }

    /// Formulas, values and derivatives from PyTorch's autograd in f64 (`scripts/formula_gradients.py`).
    #[test]
    fn kernels_of_random_formulas_equal_pytorch_autograd() {
        type Case = (&'static str, &'static [f64], f64, f64, &'static [f64]);
        let cases: &[Case] = include!("../../activation/pytorch_gradients.in");
        for (formula, point, b, value, slopes) in cases {
            assert_kernels_equal(formula, point, *b, *value, slopes);
        }
    }

    /// f32 kernels, in a whole block of values and in a part of one.
    fn assert_kernels_equal(formula: &str, point: &[f64], b: f64, value: f64, slopes: &[f64]) {
        const LENGTH: usize = 600;
        let act: Activation = formula.parse().unwrap();
        let scalars = vec![b as f32; act.program().scalars.len()];
        let inputs: Vec<Vec<f32>> = point.iter().map(|x| vec![*x as f32; LENGTH]).collect();
        let both = [inputs[0].as_slice(), inputs.get(1).map_or(&[], Vec::as_slice)];
        let (mut first, mut second) = (vec![0.0; LENGTH], vec![0.0; LENGTH]);
        let (mut values, mut sums) = (vec![1.0; LENGTH], vec![0.0; scalars.len()]);
        backward(act, &scalars, both, &mut values, [&mut first, &mut second], &mut sums);
        let is_near = |got: f64, want: f64| (got - want).abs() <= 1e-3 * want.abs().max(1.0);
        for i in 0..LENGTH {
            let got = [first[i], second[i]];
            assert!(is_near(values[i].into(), value), "{formula} at {point:?}: {}, not {value}", values[i]);
            for (got, want) in got.iter().zip(&slopes[..point.len()]) {
                assert!(is_near((*got).into(), *want), "{formula} at {point:?}: slope {got}, not {want}");
            }
        }
        for (sum, slope) in sums.iter().zip(&slopes[point.len()..]) {
            assert!(is_near(sum / LENGTH as f64, *slope), "{formula} at {point:?}: sum {sum} of {slope}");
        }
    }
}
