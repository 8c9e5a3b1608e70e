//! Sixteen values at a time.
//!
//! Loops over slices of unknown length become SIMD by themselves. Short ones do not: the compiler unrolls a loop
//! over a fixed array before it would make vectors of it. A type that is as large and as aligned as a register
//! keeps the values together, one operation after the other.

use std::ops::{Add, Mul, Sub};

/// What the widest registers hold; narrower ones take several.
pub const WIDTH: usize = 16;

#[derive(Clone, Copy)]
#[repr(align(64))]
pub struct Vector(pub [f32; WIDTH]);

impl Vector {
    #[inline(always)]
    pub fn splat(value: f32) -> Vector {
        Vector([value; WIDTH])
    }

    #[inline(always)]
    fn zip(self, other: Vector, f: impl Fn(f32, f32) -> f32) -> Vector {
        Vector(std::array::from_fn(|lane| f(self.0[lane], other.0[lane])))
    }

    /// The sum of the lanes, half with half: few steps that wait for each other.
    #[inline(always)]
    pub fn sum(self) -> f32 {
        let mut lanes = self.0;
        let mut width = WIDTH / 2;
        while width > 0 {
            for lane in 0..width {
                lanes[lane] += lanes[lane + width];
            }
            width /= 2;
        }
        lanes[0]
    }
}

impl Add for Vector {
    type Output = Vector;
    #[inline(always)]
    fn add(self, other: Vector) -> Vector {
        self.zip(other, |a, b| a + b)
    }
}

impl Sub for Vector {
    type Output = Vector;
    #[inline(always)]
    fn sub(self, other: Vector) -> Vector {
        self.zip(other, |a, b| a - b)
    }
}

impl Mul for Vector {
    type Output = Vector;
    #[inline(always)]
    fn mul(self, other: Vector) -> Vector {
        self.zip(other, |a, b| a * b)
    }
}
