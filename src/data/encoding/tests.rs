use super::*;
use encoding_rs::*;

const JAPANESE: &str = "吾輩は猫である。名前はまだ無い。どこで生れたかとんと見当がつかぬ。何でも薄暗いじめじめした所で\
    ニャーニャー泣いていた事だけは記憶している。\nコーヒーを２杯飲んだ。「東京タワー」は333メートルです。\n";

/// Texts that a careless reader takes for Japanese, in the encodings that they are found in.
const OTHERS: &[(&[&Encoding], &str)] = &[
    (
        &[WINDOWS_1252, ISO_8859_15, MACINTOSH],
        "À la fin, le garçon était là, près de l'hôtel, où il prenait déjà son café crème. « C'est ça », dit-elle ; \
         l'été avait été très sec, même à Nîmes. Noël, Zoé, Loïc : ils s'étaient perdus.\n",
    ),
    (
        &[WINDOWS_1252, ISO_8859_15, MACINTOSH],
        "Die Bären fraßen früh übermäßig süße Äpfel. Größere Öfen heizen schöne Räume, und für die Übung \
         müßte man wöchentlich zurückkehren. Straße, Füße, Grüße.\n",
    ),
    (
        &[WINDOWS_1252, ISO_8859_15, MACINTOSH],
        "¿Qué pasó con el niño? Mañana comerá piñas en la montaña; además, el pingüino también cantará. \
         ¡Cuántos años, cuánta vergüenza! Él está aquí.\n",
    ),
    (&[WINDOWS_1252], "The “best” of it — the cat’s whiskers — isn’t in ‘quotes’… it’s the naïve café’s.\n"),
    (
        &[WINDOWS_1250, ISO_8859_2],
        "Zażółć gęślą jaźń. Pójdźże, kiń tę chmurność w głąb flaszy. Łódź, Kraków, Poznań i Wrocław są \
         większe niż się wydaje. Chrząszcz brzmi w trzcinie.\n",
    ),
    (
        &[WINDOWS_1250, ISO_8859_2],
        "Příliš žluťoučký kůň úpěl ďábelské ódy. Árvíztűrő tükörfúrógép. Děti šly ještě dřív domů.\n",
    ),
    (
        &[WINDOWS_1251, KOI8_R, KOI8_U, ISO_8859_5, IBM866, X_MAC_CYRILLIC],
        "Все счастливые семьи похожи друг на друга, каждая несчастливая семья несчастлива по-своему. Все смешалось \
         в доме Облонских. Жена узнала, что муж был в связи с бывшею гувернанткой.\n",
    ),
    (
        &[WINDOWS_1251, KOI8_U],
        "Її єдиний ґанок світив уночі; він їхав до Києва, і ніхто не знав, чи є ще їжа. Щастя її в Україні.\n",
    ),
    (
        &[WINDOWS_1253, ISO_8859_7],
        "Ξεσκεπάζω την ψυχοφθόρα βδελυγμία. Όλοι οι άνθρωποι γεννιούνται ελεύθεροι και ίσοι στην αξιοπρέπεια.\n",
    ),
    (
        &[WINDOWS_1254],
        "Pijamalı hasta yağız şoföre çabucak güvendi. Öğretmenim çok güzel bir şiir okudu; ığdır'da kış.\n",
    ),
    (&[WINDOWS_1255], "דג סקרן שט בים מאוכזב ולפתע מצא לו חברה. כל בני האדם נולדו בני חורין ושווים בערכם.\n"),
    (&[WINDOWS_1256, ISO_8859_6], "يولد جميع الناس أحرارا متساوين في الكرامة والحقوق وقد وهبوا عقلا وضميرا\n"),
    (
        &[WINDOWS_874],
        "มนุษย์ทั้งหลายเกิดมามีอิสระและเสมอภาคกันในเกียรติศักดิ์และสิทธิ ต่างมีเหตุผลและมโนธรรม คนค้าขาย ครูคนไทย ควรคิดคำนวณ\n",
    ),
    (
        &[GBK, GB18030],
        "人人生而自由，在尊严和权利上一律平等。他们赋有理性和良心，并应以兄弟关系的精神相对待。我们的猫不喜欢吃鱼。\n",
    ),
    (
        &[BIG5],
        "人人生而自由，在尊嚴和權利上一律平等。他們賦有理性和良心，並應以兄弟關係的精神相對待。中文，一不中文。\n",
    ),
    (
        &[EUC_KR],
        "모든 인간은 태어날 때부터 자유로우며 그 존엄과 권리에 있어 동등하다. 인간은 천부적으로 이성과 양심을 부여받았다.\n",
    ),
];

fn encoded(text: &str, encoding: &'static Encoding) -> Vec<u8> {
    let (bytes, _, unmappable) = encoding.encode(text);
    assert!(!unmappable, "{} lacks a character of {text}", encoding.name());
    bytes.into_owned()
}

fn utf16(text: &str, unit: fn(u16) -> [u8; 2]) -> Vec<u8> {
    text.encode_utf16().flat_map(unit).collect()
}

fn refusal(bytes: &[u8]) -> String {
    let name = |found: &'static Encoding| found.name();
    detect(bytes).map(name).unwrap_err().to_string()
}

/// Every piece of a text from some character on, short and long.
fn pieces(text: &str) -> impl Iterator<Item = &str> {
    let starts: Vec<usize> = text.char_indices().map(|(at, _)| at).chain([text.len()]).collect();
    let lengths = [1, 2, 3, 5, 8, 13, 21, 34, 55, 89];
    (0..starts.len()).flat_map(move |from| {
        let ends: Vec<usize> =
            lengths.iter().filter_map(|length| starts.get(from + length).copied()).collect();
        let start = starts[from];
        ends.into_iter().chain([text.len()]).map(move |end| &text[start..end])
    })
}

#[test]
fn texts_in_other_encodings_are_never_detected_as_japanese() {
    for (encodings, text) in OTHERS {
        for encoding in *encodings {
            for piece in pieces(text) {
                if let Ok(found) = detect(&encoded(piece, encoding)) {
                    assert!(found == UTF_8, "{piece} in {} was read as {}", encoding.name(), found.name());
                }
            }
            let long = encoded(&text.repeat(300), encoding);
            let refused = refusal(&long);
            assert!(refused.starts_with("isn't UTF-8 at byte"), "{refused}");
        }
    }
}

#[test]
fn japanese_encodings_are_detected_in_long_and_short_texts() {
    for encoding in [SHIFT_JIS, EUC_JP, ISO_2022_JP] {
        for text in [
            JAPANESE.to_string(),
            JAPANESE.repeat(5000),
            format!("{}{JAPANESE}", "plain ASCII\n".repeat(200_000)),
        ] {
            let bytes = encoded(&text, encoding);
            let (decoded, found) = decode(&bytes, None).unwrap();
            assert!(found == encoding && *decoded == *text, "{}", found.name());
        }
        for sentence in
            JAPANESE.split_inclusive(['。', '\n']).filter(|sentence| sentence.chars().count() > 12)
        {
            assert_eq!(detect(&encoded(sentence, encoding)).unwrap(), encoding, "{sentence}");
        }
    }
}

#[test]
fn utf16_is_detected_with_and_without_a_bom() {
    let orders = [(UTF_16LE, u16::to_le_bytes as fn(u16) -> [u8; 2]), (UTF_16BE, u16::to_be_bytes)];
    let texts = OTHERS.iter().map(|(_, text)| *text).chain([
        JAPANESE,
        "Hello, world!\n",
        "一　一\n　一〇\n",
        "😀 two\n",
    ]);
    for text in texts {
        for (encoding, unit) in orders {
            for mark in ["", "\u{feff}"] {
                let bytes = utf16(&format!("{mark}{text}"), unit);
                let (decoded, found) = decode(&bytes, None).unwrap();
                assert!(
                    found == encoding && *decoded == *text,
                    "{text} was read as {}: {}",
                    found.name(),
                    &*decoded
                );
            }
        }
    }
}

#[test]
fn utf32_and_nul_bytes_are_rejected_by_name() {
    let utf32: Vec<u8> = "two\nlines\n".chars().flat_map(|c| u32::from(c).to_le_bytes()).collect();
    assert_eq!(refusal(&utf32), "is UTF-32LE");
    let marked = [b"\xff\xfe\0\0".as_slice(), &utf32].concat();
    assert_eq!(decode(&marked, None).err().unwrap().to_string(), "is UTF-32LE");
    assert_eq!(refusal(b"a text\nwith\0a stray NUL\n"), "isn't text: there is a NUL at byte 11 (line 2)");
    // Token ids of 16 bits, as nanoGPT keeps them.
    let ids: Vec<u8> = (0..5000u16)
        .flat_map(|i| [464u16, 11, 262, 13, 198][usize::from(i % 5)].to_le_bytes())
        .collect::<Vec<u8>>();
    assert!(refusal(&ids).contains("NUL"));
}

#[test]
fn the_first_invalid_byte_is_reported_with_its_line() {
    let stray = b"one\ntwo\nit\x92s three\n";
    let unreadable = detect(stray).err().unwrap();
    assert_eq!(unreadable.to_string(), "isn't UTF-8 at byte 10 (line 3) but may be windows-1252");
    let error = super::super::unreadable::refused("a.txt", None, unreadable.into()).to_string();
    assert!(error.contains("--encoding windows-1252"), "{error}");

    let mostly = [&b"caf\xe9 "[..], "déjà vu, très bien, l'été, là, où\n".repeat(9).as_bytes()].concat();
    assert_eq!(refusal(&mostly), "is UTF-8 but for stray bytes, the first at byte 3 (line 1)");

    let malformed = |bytes: &[u8], label: Option<&str>| {
        decode(bytes, label.map(|label| label.parse().unwrap())).err().unwrap().to_string()
    };
    assert_eq!(malformed(stray, Some("utf-8")), "isn't valid UTF-8 at byte 10 (line 3)");
    assert_eq!(malformed(b"\xef\xbb\xbfone\n\xff\n", None), "isn't valid UTF-8 at byte 7 (line 2)");
    assert_eq!(malformed(b"\xff\xfea\0\n\0\0\xdcb\0", None), "isn't valid UTF-16LE at byte 6 (line 2)");
    let japanese = [encoded(JAPANESE, SHIFT_JIS), b"\xa0\n".to_vec()].concat();
    let at = japanese.len() - 2;
    assert_eq!(malformed(&japanese, None), format!("isn't valid Shift_JIS at byte {at} (line 3)"));
}

#[test]
fn the_encoding_flag_decides_unless_there_is_a_bom() {
    let read = |bytes: &[u8], label: &str| decode(bytes, Some(label.parse().unwrap())).unwrap().0.to_string();
    assert_eq!(read(b"it\x92s caf\xe9", "windows-1252"), "it’s café");
    assert_eq!(read("é".as_bytes(), "latin1"), "Ã©");
    assert_eq!(read("\u{feff}é".as_bytes(), "latin1"), "é");
}
