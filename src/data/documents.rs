//! Documents in JSON: the string `"text"` of each line or element.

use super::unreadable::Unreadable;
use crate::support::numbers::grouped;
use crate::support::output::shell_word;
use anyhow::Result;
use serde_json::Value;

/// Takes a document.
type Push<'a> = &'a mut dyn FnMut(&str) -> Result<()>;

/// Passes on the texts of a JSON Lines file; answers with what to tell about lines without one.
///
/// # Errors
/// [`Unreadable`] if most lines have none.
pub fn lines(text: &str, push: Push) -> Result<Option<String>> {
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    let values = lines.map(|(i, line)| (i + 1, serde_json::from_str(line).map_err(|error| not_json(&error))));
    push_texts("line", "", values, push)
}

/// Passes on the texts of a JSON document: an object, a string, or an array of these.
///
/// # Errors
/// [`Unreadable`] if it isn't valid JSON, or if most of it has no text.
pub fn json(text: &str, push: Push) -> Result<Option<String>> {
    const WHAT: &str = "isn't a JSON array or object of texts";
    const PLAIN: &str = "to train on JSON itself: cp FILE BASE.txt";
    let (each, values) = match serde_json::from_str(text) {
        Ok(Value::Array(values)) => (".[] | ", values),
        Ok(value @ (Value::Object(_) | Value::String(_))) => ("", vec![value]),
        Ok(_) => return Err(Unreadable::not_text(WHAT, PLAIN).into()),
        Err(error) => {
            let place = format!("line {}, column {}", error.line(), error.column());
            return Err(Unreadable::not_text(format!("{WHAT} ({place})"), PLAIN).into());
        }
    };
    push_texts("element", each, (1..).zip(values.into_iter().map(Ok)), push)
}

/// What is wrong with a line or an element.
struct Fault {
    what: String,
    /// A key that it has a string under.
    other: Option<String>,
}

/// Passes on the text of each value. `unit` names what is counted, and `each` lists it in jq.
fn push_texts(
    unit: &str,
    each: &str,
    values: impl Iterator<Item = (usize, Result<Value, Fault>)>,
    push: Push,
) -> Result<Option<String>> {
    let (mut all, mut bad, mut first_bad) = (0, 0, None);
    for (number, value) in values {
        all += 1;
        match value.and_then(text_of) {
            Ok(text) => push(&text)?,
            Err(fault) => {
                bad += 1;
                first_bad.get_or_insert((number, fault));
            }
        }
    }
    let Some((number, Fault { what, other })) = first_bad else { return Ok(None) };
    let share = format!("{} of {} {unit}s", grouped(bad), grouped(all));
    if bad <= all / 2 {
        return Ok(Some(format!("skipped {share}; the first is {unit} {number}, which {what}")));
    }
    let fix = other.map_or("write one {\"text\": \"...\"} per line".to_string(), |key| {
        let program = format!("{each}{{text: .[{}]}}", Value::from(key));
        format!("to train on another key: jq -c {} FILE > texts-STEM.jsonl", shell_word(&program))
    });
    let what = match all {
        1 => what,
        _ => format!("has no text in {share}; the first is {unit} {number}, which {what}"),
    };
    // A directory of programs has many .json files, which hold settings.
    let is_text = unit == "line";
    Err(if is_text { Unreadable::new(what, fix) } else { Unreadable::not_text(what, fix) }.into())
}

fn not_json(error: &serde_json::Error) -> Fault {
    Fault { what: format!("isn't valid JSON (column {})", error.column()), other: None }
}

/// A string, or what an object has under `"text"`.
fn text_of(value: Value) -> Result<String, Fault> {
    const SHOWN: usize = 8;
    let fields = match value {
        Value::String(text) => return Ok(text),
        Value::Object(mut fields) => match fields.remove("text") {
            Some(Value::String(text)) => return Ok(text),
            Some(_) => {
                return Err(Fault { what: "has a \"text\" that isn't a string".to_string(), other: None });
            }
            None => fields,
        },
        _ => return Err(Fault { what: "isn't an object with a \"text\"".to_string(), other: None }),
    };
    let keys: Vec<&str> = fields.keys().take(SHOWN).map(String::as_str).collect();
    let more = if fields.len() > SHOWN { ", ..." } else { "" };
    Err(Fault {
        what: format!(
            "has no \"text\" but {}{more}",
            if keys.is_empty() { "no keys".to_string() } else { keys.join(", ") }
        ),
        other: fields.iter().find(|(_, value)| value.is_string()).map(|(key, _)| key.clone()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    type Reader = fn(&str, Push) -> Result<Option<String>>;

    /// The documents, and what was told.
    fn read(reader: Reader, text: &str) -> Result<(Vec<String>, Option<String>)> {
        let mut documents = Vec::new();
        let note = reader(text, &mut |document| {
            documents.push(document.to_string());
            Ok(())
        })?;
        Ok((documents, note))
    }

    fn refusal(reader: Reader, text: &str) -> String {
        let error = read(reader, text).unwrap_err();
        super::super::unreadable::refused("a.jsonl", Some(std::path::Path::new("a.jsonl")), error).to_string()
    }

    #[test]
    fn jsonl_lines_are_documents_and_lines_without_text_are_counted() {
        let (documents, note) =
            read(lines, "{\"text\": \"one\\n\", \"id\": 1}\r\n\n{\"text\": \"two\"}\n").unwrap();
        assert_eq!((documents.as_slice(), note), (["one\n".to_string(), "two".to_string()].as_slice(), None));
        let cases = [
            ("{\"body\": 2}", "has no \"text\" but body"),
            ("{\"text\": 2}", "has a \"text\" that isn't a string"),
            ("[1]", "isn't an object with a \"text\""),
            ("{\"text\": \"cut", "isn't valid JSON (column 13)"),
        ];
        for (other, why) in cases {
            let (documents, note) = read(lines, &format!("{{\"text\": \"one\"}}\n\n{other}\n")).unwrap();
            assert_eq!(documents, ["one"]);
            let expected = format!("skipped 1 of 2 lines; the first is line 3, which {why}");
            assert_eq!(note.unwrap(), expected);
        }
    }

    #[test]
    fn jsonl_without_text_is_rejected_with_keys_and_a_conversion_command() {
        let error = refusal(lines, "{\"id\": 1, \"it's\": \"one\"}\n{\"id\": 2, \"it's\": \"two\"}\n");
        let expected = "a.jsonl has no text in 2 of 2 lines; the first is line 1, which has no \"text\" but id, it's; \
            to train on another key: jq -c '{text: .[\"it'\\''s\"]}' a.jsonl > texts-a.jsonl";
        assert_eq!(error, expected);
    }

    #[test]
    fn json_files_hold_texts_and_json_syntax_is_never_text() {
        for (text, expected) in [
            ("[{\"text\": \"one\"}, {\"id\": 3, \"text\": \"two\"}]", vec!["one", "two"]),
            ("[\"one\",\n \"two\"]", vec!["one", "two"]),
            ("{\"text\": \"one\"}", vec!["one"]),
            ("\"o\\u006ee\"", vec!["one"]),
        ] {
            assert_eq!(read(json, text).unwrap(), (expected.into_iter().map(String::from).collect(), None));
        }
        let error = refusal(json, "[{\"body\": \"one\"}]");
        assert!(error.contains("jq -c '.[] | {text: .[\"body\"]}' a.jsonl"), "{error}");
        for (text, expected) in [
            ("{\"data\": [{\"text\": \"one\"}]}", "has no \"text\" but data"),
            ("[{\"text\": \"one\"}, {\"te", "isn't a JSON array or object of texts (line 1, column 22)"),
            ("[\"one\"] two", "isn't a JSON array or object of texts (line 1, column 9)"),
            ("17", "isn't a JSON array or object of texts"),
        ] {
            let error = refusal(json, text);
            assert!(error.contains(expected), "{error}");
        }
    }
}
