//! Cutting a long text into pieces that can be encoded one by one.
//!
//! A tokenizer looks across some boundaries: `a\n\nb` may hold a token `\n\n`. A single line end or
//! space between two characters that are no white space is where byte-level tokenizers cut in any
//! case, so cutting there changes nothing (a test compares).

/// Pieces are at least this long where the text allows...
const SHORT: usize = 4096;
/// ...and cut at a space, then anywhere between characters, where no line ends before this.
const LONG: usize = 16 * SHORT;

/// Bytes of a word that a tokenizer learns from: its trainer's time grows with the square of a word's length.
const LONGEST_WORD: usize = 1024;

/// The pieces to learn a tokenizer from: [`pieces`], cut again within words of more than [`LONGEST_WORD`] bytes.
pub fn pieces_of_short_words(text: &str) -> impl Iterator<Item = &str> {
    pieces(text).flat_map(|piece| {
        let mut rest = piece;
        std::iter::from_fn(move || {
            let (some, after) = rest.split_at(end_of_short_words(rest));
            rest = after;
            (!some.is_empty()).then_some(some)
        })
    })
}

/// Where the first word becomes too long, or the end. A word is a run of letters, of digits, of white space or of
/// other characters: a tokenizer's words are no longer.
fn end_of_short_words(text: &str) -> usize {
    let kind = |c: char| (c.is_alphabetic(), c.is_numeric(), c.is_whitespace());
    let (mut begin, mut last) = (0, None);
    for (at, c) in text.char_indices() {
        if last != Some(kind(c)) {
            (begin, last) = (at, Some(kind(c)));
        }
        if at + c.len_utf8() - begin > LONGEST_WORD {
            return at;
        }
    }
    text.len()
}

/// The pieces of a text, in order; together they are the text.
pub fn pieces(text: &str) -> impl Iterator<Item = &str> {
    split(text, cut)
}

/// Parts of a text of at most `most` bytes, up to the end of a character: each ends with a paragraph if
/// one ends in its second half, else with a line, else anywhere. Together they are the text.
pub fn stretches(text: &str, most: usize) -> impl Iterator<Item = &str> {
    split(text, move |rest| {
        if rest.len() <= most {
            return rest.len();
        }
        let end = (most..rest.len()).find(|&at| rest.is_char_boundary(at)).unwrap_or(rest.len());
        let after = |what: &str| rest[..end].rfind(what).map(|at| at + what.len());
        // Too early an end would make many parts.
        let late = |at: &usize| *at > most / 2;
        after("\n\n").filter(late).or_else(|| after("\n").filter(late)).unwrap_or(end)
    })
}

/// Parts of a text, each as long as `length` says of the rest.
fn split(text: &str, length: impl Fn(&str) -> usize) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let (part, after) = rest.split_at(length(rest));
        rest = after;
        Some(part)
    })
}

fn cut(text: &str) -> usize {
    if text.len() <= SHORT {
        return text.len();
    }
    let bytes = text.as_bytes();
    let window = &bytes[..bytes.len().min(LONG)];
    // A line end or space (one byte each) at `at` that has no other white space beside it.
    let alone = |at: usize| {
        let visible = |c: Option<char>| c.is_some_and(|c| !c.is_whitespace());
        visible(text[..at].chars().next_back()) && visible(text[at + 1..].chars().next())
    };
    let line_end = (SHORT..window.len()).find(|&at| window[at] == b'\n' && alone(at)).map(|at| at + 1);
    // A token may begin with the space before its word, never end with the one behind it.
    let space = || (SHORT..window.len()).rev().find(|&at| window[at] == b' ' && alone(at));
    let anywhere = || (window.len()..=bytes.len()).find(|&at| text.is_char_boundary(at));
    line_end.or_else(space).or_else(anywhere).unwrap_or(text.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_overlong_words_are_split() {
        let usual = format!("{} {}\n", "a".repeat(LONGEST_WORD), "1, ".repeat(2 * LONGEST_WORD));
        assert!(pieces_of_short_words(&usual).eq(pieces(&usual)));
        for word in ["ab", "猫", "7", "-", "\t"] {
            let text = format!("say {} again", word.repeat(60_000));
            let parts: Vec<&str> = pieces_of_short_words(&text).collect();
            assert_eq!(parts.concat(), text);
            assert!(parts.iter().all(|part| part.len() <= LONGEST_WORD + "say ".len()), "{word}");
        }
    }

    #[test]
    fn pieces_are_bounded_and_join_to_the_text() {
        let lines = "ein Wort und noch eins\n".repeat(2000);
        let one_line = "wort ".repeat(40_000);
        let no_space = "猫".repeat(60_000);
        for text in [lines, one_line, no_space] {
            let parts: Vec<&str> = pieces(&text).collect();
            assert_eq!(parts.concat(), text);
            assert!(parts.len() > 1 && parts.iter().all(|part| part.len() <= LONG + 4));
        }
    }

    #[test]
    fn chunks_end_at_paragraphs_or_lines_and_join_to_the_text() {
        let paragraphs = "ein Satz.\nnoch einer.\n\n".repeat(50);
        let lines = "ein Satz.\n".repeat(100);
        let no_line = "猫".repeat(500);
        for (text, end) in [(&paragraphs, "\n\n"), (&lines, "\n"), (&no_line, "猫")] {
            let parts: Vec<&str> = stretches(text, 200).collect();
            assert_eq!(parts.concat(), *text);
            assert!(parts.len() > 4 && parts.iter().all(|part| part.ends_with(end) && part.len() <= 203));
        }
    }
}
