//! The encoding of a text, where the user names it.

use crate::bail_input;
use crate::support::failure::did_you_mean;
use anyhow::Result;
use encoding_rs::Encoding;
use std::fmt;
use std::str::FromStr;

/// An encoding by one of its labels in the WHATWG Encoding Standard, such as `latin1`, `cp1251` or `sjis`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TextEncoding(&'static Encoding);

/// Labels that a mistyped one is compared with, the commonest first.
const COMMON: &str = "utf-8 utf-16le utf-16be latin1 windows-1252 cp1252 windows-1250 windows-1251 iso-8859-1 \
    iso-8859-15 koi8-r macintosh shift_jis euc-jp iso-2022-jp gbk gb18030 big5 euc-kr";

impl TextEncoding {
    pub fn encoding(self) -> &'static Encoding {
        self.0
    }
}

impl fmt::Display for TextEncoding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.name())
    }
}

impl FromStr for TextEncoding {
    type Err = anyhow::Error;

    fn from_str(label: &str) -> Result<Self> {
        let find = |label: &str| Encoding::for_label_no_replacement(label.as_bytes());
        // Python and Java write euc_jp and iso8859_1.
        match find(label).or_else(|| find(&label.replace('_', "-"))) {
            Some(encoding) => Ok(TextEncoding(encoding)),
            None => bail_input!(
                "unknown encoding '{label}'{}; use a label of the WHATWG Encoding Standard, such as utf-8, windows-1252, windows-1251, shift_jis or gbk, or convert the text with iconv",
                did_you_mean(&label.to_ascii_lowercase(), COMMON.split(' '))
            ),
        }
    }
}

serde_by_name!(TextEncoding);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encoding_labels_are_known_and_typos_get_a_suggestion() {
        let name = |label: &str| label.parse::<TextEncoding>().map(|encoding| encoding.to_string());
        for (label, expected) in [
            ("utf8", "UTF-8"),
            ("Latin1", "windows-1252"),
            ("iso8859_2", "ISO-8859-2"),
            ("sjis", "Shift_JIS"),
            ("euc_jp", "EUC-JP"),
        ] {
            assert_eq!(name(label).unwrap(), expected);
        }
        for common in COMMON.split(' ') {
            assert!(name(common).is_ok(), "{common}");
        }
        let error = name("windows-1525").unwrap_err().to_string();
        assert!(error.contains("did you mean 'windows-1252'?"), "{error}");
        // The standard replaces texts in these by one error character.
        assert!(name("iso-2022-kr").is_err() && name("").is_err());
    }
}
