//! Cutting the rows of a pass into tiles, and buffers with them.

/// Some neighbouring rows: what one task works on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tile {
    pub first: usize,
    pub rows: usize,
}

/// All rows of a pass, or of a part of it, cut into tiles that are as long as the first but for the last.
#[derive(Clone, Copy, Debug)]
pub struct Tiling {
    pub rows: usize,
    pub tile_rows: usize,
}

impl Tiling {
    pub fn count(self) -> usize {
        self.rows.div_ceil(self.tile_rows)
    }

    pub fn tiles(self) -> impl Iterator<Item = Tile> {
        let Tiling { rows, tile_rows } = self;
        (0..rows).step_by(tile_rows).map(move |first| Tile { first, rows: tile_rows.min(rows - first) })
    }

    /// A buffer of `width` values per row, to be read by tiles.
    ///
    /// # Panics
    /// If it has another length.
    pub fn read<T>(self, values: &[T], width: usize) -> Read<'_, T> {
        check(values.len(), self.rows, width);
        Read { values, width }
    }

    /// A buffer of `width` values per row, to be written by tiles.
    ///
    /// # Panics
    /// If it has another length.
    pub fn write<T>(self, values: &mut [T], width: usize) -> Write<'_, T> {
        check(values.len(), self.rows, width);
        Write { values, width }
    }

    /// A buffer of `width` values per tile, to be written by tiles.
    ///
    /// # Panics
    /// If it has another length.
    pub fn write_tiles(self, values: &mut [f32], width: usize) -> WriteTiles<'_> {
        check(values.len(), self.count(), width);
        WriteTiles(values.chunks_mut(width))
    }
}

fn check(len: usize, rows: usize, width: usize) {
    assert_eq!(len, rows * width, "a buffer of {len} values for {rows} rows of {width}");
}

/// A buffer that tiles are read from.
#[derive(Clone, Copy)]
pub struct Read<'a, T> {
    values: &'a [T],
    width: usize,
}

impl<'a, T> Read<'a, T> {
    pub fn of(&self, tile: Tile) -> &'a [T] {
        &self.values[tile.first * self.width..][..tile.rows * self.width]
    }
}

/// What is left of a buffer whose tiles are given out, each once and in order.
pub struct Write<'a, T> {
    values: &'a mut [T],
    width: usize,
}

impl<'a, T> Write<'a, T> {
    /// The rows of the next tile.
    pub fn next(&mut self, tile: Tile) -> &'a mut [T] {
        self.values.split_off_mut(..tile.rows * self.width).expect("tiles cover the rows once")
    }
}

/// What is left of a buffer that has some values for each tile.
pub struct WriteTiles<'a>(std::slice::ChunksMut<'a, f32>);

impl<'a> WriteTiles<'a> {
    pub fn next(&mut self) -> &'a mut [f32] {
        self.0.next().expect("tiles cover the rows once")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tiles_and_their_buffers_cover_every_row_once() {
        let tiling = Tiling { rows: 10, tile_rows: 4 };
        let tiles: Vec<Tile> = tiling.tiles().collect();
        assert_eq!(
            tiles.iter().map(|tile| (tile.first, tile.rows)).collect::<Vec<_>>(),
            [(0, 4), (4, 4), (8, 2)]
        );
        assert_eq!(tiling.count(), 3);
        let mut buffer: Vec<f32> = (0..30u8).map(f32::from).collect();
        let whole = buffer.clone();
        let given: Vec<f32> =
            tiles.iter().flat_map(|tile| tiling.read(&whole, 3).of(*tile)).copied().collect();
        assert_eq!(given, whole);
        let mut write = tiling.write(&mut buffer, 3);
        assert_eq!(tiles.iter().map(|tile| write.next(*tile).len()).collect::<Vec<_>>(), [12, 12, 6]);
        // A buffer that a model does without has no values in any row.
        assert!(tiling.write(&mut [0.0; 0], 0).next(tiles[0]).is_empty());
    }

    #[test]
    #[should_panic(expected = "a buffer of 29 values for 10 rows of 3")]
    fn a_buffer_of_the_wrong_size_is_an_error() {
        Tiling { rows: 10, tile_rows: 4 }.write(&mut [0.0; 29], 3);
    }
}
