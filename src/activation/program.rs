//! A compiled formula: its value and derivatives over f64, over tensors, and as lists for kernels.

use super::library::Library;
use super::list::{Id, List, Node};
use super::operations::Binary;
use super::parse::{Parsing, Scalar, parse};
use super::tokens::Problem;
use candle_core::{Result, Tensor};

/// The input of [`Program::training`] after the activation's own, which are 0 and 1.
const GRADIENT: usize = 2;

/// A formula with its partial derivatives.
#[derive(Clone, Debug, PartialEq)]
pub struct Program {
    /// The value alone.
    pub forward: List,
    /// The value, then its derivatives with respect to each input and each learned scalar.
    pub backward: List,
    /// The backward pass of training. Its third input is the gradient of the value. The outputs are the gradients
    /// of the inputs, the value, and its derivatives with respect to each learned scalar.
    pub training: List,
    pub scalars: Vec<Scalar>,
    pub is_gated: bool,
}

impl Program {
    pub fn compile(text: &str, library: &Library) -> std::result::Result<Program, Problem> {
        let Parsing { mut builder, value, is_gated, scalars } = parse(text, library)?;
        let inputs: Vec<Id> = (0..=usize::from(is_gated)).map(|i| builder.input(i)).collect();
        let learned: Vec<Id> = (0..scalars.len()).map(|i| builder.scalar(i)).collect();
        let gradients = builder.differentiate(value, &[inputs, learned].concat());
        let outputs: Vec<Id> = std::iter::once(value).chain(gradients).collect();
        let (forward, backward) = (builder.list(&[value]), builder.list(&outputs));
        let training = training(backward.clone(), 1 + usize::from(is_gated));
        Ok(Program { forward, backward, training, scalars, is_gated })
    }

    /// Inputs of the function: 1 (x), or 2 (g and u).
    pub fn inputs(&self) -> usize {
        1 + usize::from(self.is_gated)
    }

    /// The learned scalars before training.
    pub fn initial(&self) -> Vec<f64> {
        self.scalars.iter().map(|scalar| scalar.initial).collect()
    }

    /// Whether both are one list of operations. Names of learned scalars don't count.
    pub fn computes_like(&self, other: &Program) -> bool {
        self.is_gated == other.is_gated && self.forward == other.forward && self.initial() == other.initial()
    }

    /// Floating-point operations of the forward and backward pass per hidden unit, products with the gradient of the
    /// hidden value included.
    pub fn flops(&self) -> f64 {
        self.forward.flops() + self.backward.flops() + (self.inputs() + self.scalars.len()) as f64
    }

    /// The value at a point.
    pub fn value(&self, inputs: &[f64], scalars: &[f64]) -> f64 {
        self.forward.over_f64(inputs, scalars)[self.forward.outputs[0]]
    }

    /// The value at a point, and its derivatives: of each input, then of each learned scalar.
    pub fn at(&self, inputs: &[f64], scalars: &[f64]) -> (f64, Vec<f64>) {
        let values = self.backward.over_f64(inputs, scalars);
        let mut outputs = self.backward.outputs.iter().map(|id| values[*id]);
        (outputs.next().unwrap_or(f64::NAN), outputs.collect())
    }

    /// The value of every element. All inputs have one shape; a learned scalar has shape ().
    ///
    /// The gradient of the result is the derivative that the list says, not autograd's of its operations: those give
    /// NaN where a branch that isn't taken is infinite. The second derivative is 0.
    pub fn over_tensors(&self, inputs: &[Tensor], scalars: &[Tensor]) -> Result<Tensor> {
        let detached = |tensors: &[Tensor]| tensors.iter().map(Tensor::detach).collect::<Vec<_>>();
        let values = self.backward.over_tensors(&detached(inputs), &detached(scalars))?;
        let mut outputs = self.backward.outputs.iter().map(|id| &values[*id]);
        let mut result = outputs.next().expect("a value").clone();
        for (input, gradient) in inputs.iter().chain(scalars).zip(outputs) {
            // 0 with the gradient of `input`.
            let zero = (input - input.detach())?;
            result = (result + gradient.broadcast_mul(&zero)?)?;
        }
        Ok(result)
    }
}

/// Multiplies the derivatives of the inputs by the gradient. The value comes last if no derivative needs it: a kernel may
/// then write it over the gradient.
fn training(List { mut nodes, outputs }: List, inputs: usize) -> List {
    let mut value = outputs[0];
    let (derivatives, of_scalars) = outputs[1..].split_at(inputs);
    let gradient = nodes.len();
    nodes.push(Node::Input(GRADIENT));
    nodes.extend(derivatives.iter().map(|id| Node::Binary(Binary::Multiply, *id, gradient)));
    let of_inputs = gradient + 1..nodes.len();
    let is_needed =
        nodes.iter().flat_map(Node::operands).chain(of_scalars.iter().copied()).any(|id| id == value);
    if !is_needed && !nodes[value].is_leaf() {
        nodes.push(nodes[value]);
        value = nodes.len() - 1;
    }
    List { nodes, outputs: of_inputs.chain([value]).chain(of_scalars.iter().copied()).collect() }.needed()
}
