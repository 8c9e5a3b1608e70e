//! A formula as a list of operations, and its partial derivatives as more of them.
//!
//! [`Builder`] adds one operation at a time, folds constants, and reuses an operation that's there already. A reverse
//! pass ([`Builder::differentiate`]) adds the derivatives.

use super::list::{Id, List, Node};
use super::operations::{Binary, Unary};

/// A branch of a `where`: its operations count only where the condition is `expected`.
#[derive(Clone, Copy, Debug)]
struct Branch {
    outer: Option<usize>,
    condition: Id,
    expected: bool,
}

/// Builds a list of operations.
#[derive(Debug, Default)]
pub struct Builder {
    nodes: Vec<Node>,
    /// The innermost branch that each operation belongs to.
    branch_of: Vec<Option<usize>>,
    branches: Vec<Branch>,
    /// The branch that's being built.
    branch: Option<usize>,
}

impl Builder {
    pub fn operations(&self) -> usize {
        self.nodes.len()
    }

    fn encloses(&self, outer: Option<usize>, mut inner: Option<usize>) -> bool {
        while inner != outer {
            match inner {
                None => return false,
                Some(branch) => inner = self.branches[branch].outer,
            }
        }
        true
    }

    /// Adds an operation, or finds the same one in this branch or around it.
    fn add(&mut self, node: Node) -> Id {
        let is_here = |id: &Id| self.nodes[*id] == node && self.encloses(self.branch_of[*id], self.branch);
        if let Some(id) = (0..self.nodes.len()).find(is_here) {
            return id;
        }
        self.nodes.push(node);
        self.branch_of.push(self.branch);
        self.nodes.len() - 1
    }

    pub fn input(&mut self, index: usize) -> Id {
        self.add(Node::Input(index))
    }

    pub fn scalar(&mut self, index: usize) -> Id {
        self.add(Node::Scalar(index))
    }

    pub fn constant(&mut self, value: f64) -> Id {
        self.add(Node::Constant(value))
    }

    fn value_of(&self, id: Id) -> Option<f64> {
        match self.nodes[id] {
            Node::Constant(value) => Some(value),
            _ => None,
        }
    }

    pub fn unary(&mut self, op: Unary, a: Id) -> Id {
        match (op, self.nodes[a]) {
            (_, Node::Constant(value)) => self.constant(op.of(value)),
            (Unary::Negate, Node::Unary(Unary::Negate, inner)) => inner,
            _ => self.add(Node::Unary(op, a)),
        }
    }

    pub fn binary(&mut self, op: Binary, a: Id, b: Id) -> Id {
        let (left, right) = (self.value_of(a), self.value_of(b));
        if let (Some(left), Some(right)) = (left, right) {
            return self.constant(op.of(left, right));
        }
        match (op, left, right) {
            (Binary::Add, Some(0.0), _) | (Binary::Multiply, Some(1.0), _) => return b,
            (Binary::Add | Binary::Subtract, _, Some(0.0)) => return a,
            (Binary::Multiply | Binary::Divide, _, Some(1.0)) => return a,
            (Binary::Multiply, Some(0.0), _) | (Binary::Multiply, _, Some(0.0)) => return self.constant(0.0),
            (Binary::Multiply, Some(-1.0), _) => return self.unary(Unary::Negate, b),
            (Binary::Multiply, _, Some(-1.0)) => return self.unary(Unary::Negate, a),
            _ => {}
        }
        if let (Binary::Add, Some(sum)) = (op, self.sum_of_branches(a, b)) {
            return sum;
        }
        if let (Binary::Multiply, Some(product)) = (op, self.product_of_constants(a, b)) {
            return product;
        }
        // One order for `a + b` and `b + a`.
        let (a, b) = if matches!(op, Binary::Add | Binary::Multiply) && b < a { (b, a) } else { (a, b) };
        self.add(Node::Binary(op, a, b))
    }

    /// `2 * (3 * a)` is `6 * a`.
    fn product_of_constants(&mut self, a: Id, b: Id) -> Option<Id> {
        let (scale, product) =
            self.value_of(a).map(|scale| (scale, b)).or(self.value_of(b).map(|scale| (scale, a)))?;
        let Node::Binary(Binary::Multiply, left, right) = self.nodes[product] else { return None };
        let inner = self
            .value_of(left)
            .map(|inner| (inner, right))
            .or(self.value_of(right).map(|inner| (inner, left)));
        let (inner, factor) = inner?;
        let constant = self.constant(scale * inner);
        Some(self.binary(Binary::Multiply, constant, factor))
    }

    /// `where(c, a, 0) + where(c, 0, b)` is `where(c, a, b)`: two branches of one gradient.
    fn sum_of_branches(&mut self, a: Id, b: Id) -> Option<Id> {
        let (Node::Select(one, then, zero), Node::Select(other, other_zero, otherwise)) =
            (self.nodes[a], self.nodes[b])
        else {
            return None;
        };
        let is_zero = |id: Id| self.value_of(id) == Some(0.0);
        if one != other {
            return None;
        }
        if is_zero(zero) && is_zero(other_zero) {
            return Some(self.add(Node::Select(one, then, otherwise)));
        }
        (is_zero(then) && is_zero(otherwise)).then(|| self.add(Node::Select(one, other_zero, zero)))
    }

    pub fn select(&mut self, condition: Id, then: Id, otherwise: Id) -> Id {
        match (self.value_of(condition), self.value_of(then), self.value_of(otherwise)) {
            (Some(holds), ..) => {
                if holds == 1.0 {
                    then
                } else {
                    otherwise
                }
            }
            (None, Some(1.0), Some(0.0)) => condition,
            _ if then == otherwise => then,
            _ => self.add(Node::Select(condition, then, otherwise)),
        }
    }

    /// `base` to a constant whole power, by multiplication.
    pub fn whole_power(&mut self, base: Id, exponent: u32) -> Id {
        match exponent {
            0 => self.constant(1.0),
            1 => base,
            _ => {
                let half = self.whole_power(base, exponent / 2);
                let square = self.binary(Binary::Multiply, half, half);
                if exponent.is_multiple_of(2) { square } else { self.binary(Binary::Multiply, square, base) }
            }
        }
    }

    pub fn power(&mut self, base: Id, exponent: Id) -> Id {
        match self.value_of(exponent) {
            Some(n) if n.fract() == 0.0 && n.abs() <= 64.0 => {
                let power = self.whole_power(base, n.abs() as u32);
                let one = self.constant(1.0);
                if n < 0.0 { self.binary(Binary::Divide, one, power) } else { power }
            }
            Some(0.5) => self.unary(Unary::Sqrt, base),
            _ => self.binary(Binary::Power, base, exponent),
        }
    }

    /// Begins a branch, whose operations count only where `condition` is `expected`. Returns the branch around it.
    pub fn enter(&mut self, condition: Id, expected: bool) -> Option<usize> {
        self.branches.push(Branch { outer: self.branch, condition, expected });
        self.branch.replace(self.branches.len() - 1)
    }

    /// Ends a branch. `outer` is what [`Builder::enter`] returned.
    pub fn leave(&mut self, outer: Option<usize>) {
        self.branch = outer;
    }

    /// Passes a gradient out of the branch `from` to an operation in `to`, which encloses it: 0 where the branch isn't
    /// taken. There the gradient may be infinite or NaN.
    fn leave_branches(&mut self, mut gradient: Id, mut from: Option<usize>, to: Option<usize>) -> Id {
        while let Some(inner) = from.filter(|_| from != to) {
            let Branch { outer, condition, expected } = self.branches[inner];
            let zero = self.constant(0.0);
            gradient = match expected {
                true => self.select(condition, gradient, zero),
                false => self.select(condition, zero, gradient),
            };
            from = outer;
        }
        gradient
    }

    /// Adds the derivative of `value` with respect to every operation in `of`: reverse accumulation.
    pub fn differentiate(&mut self, value: Id, of: &[Id]) -> Vec<Id> {
        let zero = self.constant(0.0);
        let mut gradients: Vec<Option<Id>> = vec![None; self.nodes.len()];
        gradients[value] = Some(self.constant(1.0));
        for id in (0..=value).rev() {
            let Some(gradient) = gradients[id] else { continue };
            for (operand, contribution) in self.contributions(id, gradient) {
                let contribution =
                    self.leave_branches(contribution, self.branch_of[id], self.branch_of[operand]);
                gradients[operand] = Some(match gradients[operand] {
                    None => contribution,
                    Some(sum) => self.binary(Binary::Add, sum, contribution),
                });
            }
        }
        of.iter().map(|id| gradients[*id].unwrap_or(zero)).collect()
    }

    /// What the gradient of an operation adds to the gradients of its operands. At a kink, `max(a, b)` and
    /// `min(a, b)` count as b, and `abs` as constant.
    fn contributions(&mut self, id: Id, gradient: Id) -> Vec<(Id, Id)> {
        use Binary::{Add, Divide, Maximum, Minimum, Multiply, Power, Subtract};
        match self.nodes[id] {
            Node::Input(_) | Node::Scalar(_) | Node::Constant(_) => Vec::new(),
            Node::MultiplyAdd(..) | Node::SubtractProduct(..) => unreachable!("made after the derivatives"),
            Node::Unary(op, a) => {
                let slope = self.slope(op, a, id);
                let through = self.binary(Multiply, gradient, slope);
                vec![(a, through)]
            }
            Node::Binary(Add, a, b) => vec![(a, gradient), (b, gradient)],
            Node::Binary(Subtract, a, b) => vec![(a, gradient), (b, self.unary(Unary::Negate, gradient))],
            Node::Binary(Multiply, a, b) if a == b => {
                let two = self.constant(2.0);
                let twice = self.binary(Multiply, two, gradient);
                vec![(a, self.binary(Multiply, twice, a))]
            }
            Node::Binary(Multiply, a, b) => {
                vec![(a, self.binary(Multiply, gradient, b)), (b, self.binary(Multiply, gradient, a))]
            }
            Node::Binary(Divide, a, b) => {
                let over = self.binary(Divide, gradient, b);
                let product = self.binary(Multiply, over, id);
                vec![(a, over), (b, self.unary(Unary::Negate, product))]
            }
            Node::Binary(op @ (Maximum | Minimum), a, b) => {
                let condition = match op {
                    Maximum => self.binary(Binary::Less, b, a),
                    _ => self.binary(Binary::Less, a, b),
                };
                let zero = self.constant(0.0);
                vec![(a, self.select(condition, gradient, zero)), (b, self.select(condition, zero, gradient))]
            }
            Node::Binary(Binary::Less | Binary::AtMost | Binary::Equal, ..) => Vec::new(),
            Node::Binary(Power, a, b) => {
                // b a^(b - 1), and a^b ln a.
                let one = self.constant(1.0);
                let less = self.binary(Subtract, b, one);
                let power = self.power(a, less);
                let slope = self.binary(Multiply, b, power);
                let of_base = self.binary(Multiply, gradient, slope);
                let mut contributions = vec![(a, of_base)];
                if self.value_of(b).is_none() {
                    let ln = self.unary(Unary::Ln, a);
                    let slope = self.binary(Multiply, id, ln);
                    // 0^b is 0 for every b, and ln 0 is infinite.
                    let zero = self.constant(0.0);
                    let is_zero = self.binary(Binary::Equal, id, zero);
                    let slope = self.select(is_zero, zero, slope);
                    contributions.push((b, self.binary(Multiply, gradient, slope)));
                }
                contributions
            }
            Node::Select(condition, then, otherwise) => {
                let zero = self.constant(0.0);
                // An operation of the branch itself gets the gradient as it is: it's masked where it leaves the branch.
                let own = |builder: &Builder, operand: Id| {
                    builder.branch_of[operand].is_some_and(|branch| {
                        let Branch { outer, condition: of, .. } = builder.branches[branch];
                        of == condition && outer == builder.branch_of[id]
                    })
                };
                let taken = if own(self, then) { gradient } else { self.select(condition, gradient, zero) };
                let other =
                    if own(self, otherwise) { gradient } else { self.select(condition, zero, gradient) };
                vec![(then, taken), (otherwise, other)]
            }
        }
    }

    /// The derivative of a unary operation at `a`, where its value is `y`.
    fn slope(&mut self, op: Unary, a: Id, y: Id) -> Id {
        let one = self.constant(1.0);
        match op {
            Unary::Negate => self.constant(-1.0),
            Unary::Exp => y,
            Unary::Ln => self.binary(Binary::Divide, one, a),
            Unary::Sqrt => {
                let half = self.constant(0.5);
                self.binary(Binary::Divide, half, y)
            }
            Unary::Abs => self.unary(Unary::Sign, a),
            Unary::Sign => self.constant(0.0),
            Unary::Sigmoid => {
                // One operation, fused: y - y y.
                let square = self.binary(Binary::Multiply, y, y);
                self.binary(Binary::Subtract, y, square)
            }
            Unary::Tanh => {
                let square = self.binary(Binary::Multiply, y, y);
                self.binary(Binary::Subtract, one, square)
            }
            Unary::Erf => {
                let square = self.binary(Binary::Multiply, a, a);
                let negative = self.unary(Unary::Negate, square);
                let exp = self.unary(Unary::Exp, negative);
                let scale = self.constant(std::f64::consts::FRAC_2_SQRT_PI);
                self.binary(Binary::Multiply, exp, scale)
            }
            Unary::Sin => self.unary(Unary::Cos, a),
            Unary::Cos => {
                let sin = self.unary(Unary::Sin, a);
                self.unary(Unary::Negate, sin)
            }
            Unary::Softplus => self.unary(Unary::Sigmoid, a),
            Unary::NormalCdf => self.unary(Unary::NormalPdf, a),
            Unary::NormalPdf => {
                let slope = self.binary(Binary::Multiply, a, y);
                self.unary(Unary::Negate, slope)
            }
        }
    }

    /// The operations that `outputs` need.
    pub fn list(&self, outputs: &[Id]) -> List {
        List { nodes: self.nodes.clone(), outputs: outputs.to_vec() }.needed().fused().needed()
    }
}
