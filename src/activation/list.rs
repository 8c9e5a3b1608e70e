//! A formula as a list of operations on every element: its values over f64 and over tensors, and its cost.

use super::operations::{Binary, Unary};
use candle_core::{Result, Tensor};
use std::f64::consts::{FRAC_1_SQRT_2, TAU};

/// The index of an operation in its list. An operation uses only earlier ones.
pub type Id = usize;

/// One operation on every element.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Node {
    /// x, or g (0) and u (1) of a gated FFN.
    Input(usize),
    /// A learned scalar.
    Scalar(usize),
    Constant(f64),
    Unary(Unary, Id),
    Binary(Binary, Id, Id),
    /// The second where the first, a comparison, is 1, else the third.
    Select(Id, Id, Id),
    /// a b + c. Only [`List::fused`] makes these two.
    MultiplyAdd(Id, Id, Id),
    /// c - a b
    SubtractProduct(Id, Id, Id),
}

impl Node {
    /// True for what isn't computed.
    pub fn is_leaf(&self) -> bool {
        matches!(self, Node::Input(_) | Node::Scalar(_) | Node::Constant(_))
    }

    /// The operations that this one uses.
    pub fn operands(&self) -> impl Iterator<Item = Id> {
        let (count, ids) = match *self {
            Node::Input(_) | Node::Scalar(_) | Node::Constant(_) => (0, [0; 3]),
            Node::Unary(_, a) => (1, [a, 0, 0]),
            Node::Binary(_, a, b) => (2, [a, b, 0]),
            Node::Select(a, b, c) | Node::MultiplyAdd(a, b, c) | Node::SubtractProduct(a, b, c) => {
                (3, [a, b, c])
            }
        };
        ids.into_iter().take(count)
    }

    fn renumbered(self, new: impl Fn(Id) -> Id) -> Node {
        match self {
            Node::Unary(op, a) => Node::Unary(op, new(a)),
            Node::Binary(op, a, b) => Node::Binary(op, new(a), new(b)),
            Node::Select(a, b, c) => Node::Select(new(a), new(b), new(c)),
            Node::MultiplyAdd(a, b, c) => Node::MultiplyAdd(new(a), new(b), new(c)),
            Node::SubtractProduct(a, b, c) => Node::SubtractProduct(new(a), new(b), new(c)),
            leaf => leaf,
        }
    }
}

/// Operations in order, and where the results are among them.
#[derive(Clone, Debug, PartialEq)]
pub struct List {
    pub nodes: Vec<Node>,
    pub outputs: Vec<Id>,
}

impl List {
    /// Without the operations that no output needs.
    pub fn needed(self) -> List {
        let mut needed = vec![false; self.nodes.len()];
        self.outputs.iter().for_each(|id| needed[*id] = true);
        for (id, node) in self.nodes.iter().enumerate().rev() {
            if needed[id] {
                node.operands().for_each(|operand| needed[operand] = true);
            }
        }
        let mut new = vec![0; self.nodes.len()];
        let mut nodes = Vec::new();
        for (id, node) in self.nodes.iter().enumerate().filter(|(id, _)| needed[*id]) {
            new[id] = nodes.len();
            nodes.push(node.renumbered(|id| new[id]));
        }
        List { nodes, outputs: self.outputs.iter().map(|id| new[*id]).collect() }
    }

    /// With one operation for a product and its sum, where nothing else needs the product.
    pub fn fused(mut self) -> List {
        let mut uses = vec![0; self.nodes.len()];
        let operands = self.nodes.iter().flat_map(Node::operands);
        operands.chain(self.outputs.iter().copied()).for_each(|id| uses[id] += 1);
        let product = |nodes: &[Node], id: Id| match nodes[id] {
            Node::Binary(Binary::Multiply, a, b) if uses[id] == 1 => Some((a, b)),
            _ => None,
        };
        for id in 0..self.nodes.len() {
            let nodes = &self.nodes;
            let fused = match nodes[id] {
                Node::Binary(Binary::Add, left, right) => match (product(nodes, left), product(nodes, right))
                {
                    (Some((a, b)), _) => Some(Node::MultiplyAdd(a, b, right)),
                    (None, Some((a, b))) => Some(Node::MultiplyAdd(a, b, left)),
                    (None, None) => None,
                },
                Node::Binary(Binary::Subtract, left, right) => {
                    product(nodes, right).map(|(a, b)| Node::SubtractProduct(a, b, left))
                }
                _ => None,
            };
            self.nodes[id] = fused.unwrap_or(self.nodes[id]);
        }
        self
    }

    /// The value of every operation.
    pub fn over_f64(&self, inputs: &[f64], scalars: &[f64]) -> Vec<f64> {
        let mut values: Vec<f64> = Vec::with_capacity(self.nodes.len());
        for node in &self.nodes {
            values.push(match *node {
                Node::Input(i) => inputs[i],
                Node::Scalar(i) => scalars[i],
                Node::Constant(value) => value,
                Node::Unary(op, a) => op.of(values[a]),
                Node::Binary(op, a, b) => op.of(values[a], values[b]),
                Node::Select(condition, then, otherwise) => {
                    values[if values[condition] == 1.0 { then } else { otherwise }]
                }
                Node::MultiplyAdd(a, b, c) => values[a] * values[b] + values[c],
                Node::SubtractProduct(a, b, c) => values[c] - values[a] * values[b],
            });
        }
        values
    }

    pub fn over_tensors(&self, inputs: &[Tensor], scalars: &[Tensor]) -> Result<Vec<Tensor>> {
        let like = &inputs[0];
        let mut values: Vec<Tensor> = Vec::with_capacity(self.nodes.len());
        for node in &self.nodes {
            values.push(match *node {
                Node::Input(i) => inputs[i].clone(),
                Node::Scalar(i) => scalars[i].broadcast_as(like.shape())?,
                Node::Constant(value) => {
                    Tensor::new(value, like.device())?.to_dtype(like.dtype())?.broadcast_as(like.shape())?
                }
                Node::Unary(op, a) => unary(op, &values[a])?,
                Node::Binary(op, a, b) => binary(op, &values[a], &values[b])?,
                Node::Select(condition, then, otherwise) => {
                    let mask = values[condition].eq(&values[condition].ones_like()?)?;
                    mask.where_cond(&values[then].contiguous()?, &values[otherwise].contiguous()?)?
                }
                Node::MultiplyAdd(a, b, c) => ((&values[a] * &values[b])? + &values[c])?,
                Node::SubtractProduct(a, b, c) => (&values[c] - (&values[a] * &values[b])?)?,
            });
        }
        Ok(values)
    }

    /// Floating-point operations per element.
    pub fn flops(&self) -> f64 {
        let cost = |node: &Node| match node {
            Node::Input(_) | Node::Scalar(_) | Node::Constant(_) => 0.0,
            Node::Unary(op, _) => op.flops(),
            Node::Binary(op, ..) => op.flops(),
            Node::Select(..) => 1.0,
            Node::MultiplyAdd(..) | Node::SubtractProduct(..) => 2.0,
        };
        self.nodes.iter().map(cost).sum()
    }
}

fn unary(op: Unary, x: &Tensor) -> Result<Tensor> {
    match op {
        Unary::Negate => x.neg(),
        Unary::Exp => x.exp(),
        Unary::Ln => x.log(),
        Unary::Sqrt => x.sqrt(),
        Unary::Abs => x.abs(),
        Unary::Sign => x.sign(),
        // By tanh, neither tail overflows.
        Unary::Sigmoid => ((x * 0.5)?.tanh()? + 1.0)? * 0.5,
        Unary::Tanh => x.tanh(),
        Unary::Erf => x.erf(),
        Unary::Sin => x.sin(),
        Unary::Cos => x.cos(),
        Unary::Softplus => x.relu()? + (x.abs()?.neg()?.exp()? + 1.0)?.log()?,
        Unary::NormalCdf => ((x * FRAC_1_SQRT_2)?.erf()? + 1.0)? * 0.5,
        Unary::NormalPdf => (x.sqr()? * -0.5)?.exp()? / TAU.sqrt(),
    }
}

fn binary(op: Binary, a: &Tensor, b: &Tensor) -> Result<Tensor> {
    match op {
        Binary::Add => a + b,
        Binary::Subtract => a - b,
        Binary::Multiply => a * b,
        Binary::Divide => a / b,
        Binary::Minimum => a.minimum(b),
        Binary::Maximum => a.maximum(b),
        Binary::Less => a.lt(b)?.to_dtype(a.dtype()),
        Binary::AtMost => a.le(b)?.to_dtype(a.dtype()),
        Binary::Equal => a.eq(b)?.to_dtype(a.dtype()),
        Binary::Power => a.pow(b),
    }
}
