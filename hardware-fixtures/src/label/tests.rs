use super::*;

fn understood(language: Language, bytes: &[u8]) -> Vec<Understood> {
    let settings = Settings { language, dots: 16, ..Settings::default() };
    let mut reader = reader(&settings);
    let mut out = Vec::new();
    bytes.iter().for_each(|byte| reader.push(*byte, &mut out));
    out
}

/// A black square of 8 by 2 dots at the left.
fn is_the_square(sheet: &Sheet) -> bool {
    (0..2).all(|y| (0..16).all(|x| sheet.is_black(x, y) == (x < 8)))
}

#[test]
fn every_language_prints_the_same_square() {
    let jobs: [(Language, &[u8]); 5] = [
        (Language::Zpl, b"^XA^PW16^FO0,0^GFA,4,4,2,FF,:^FS^PQ1^XZ\r\n"),
        (Language::Epl, b"\r\nN\r\nq16\r\nGW0,0,2,2,\x00\xff\x00\xff\r\nP1\r\n"),
        (Language::Tspl, b"CLS\r\nBITMAP 0,0,2,2,0,\x00\xff\x00\xff\r\nPRINT 1,1\r\n"),
        (Language::Dymo, b"\x1b@\x1bB\x00\x1bD\x02\x1bL\xff\xff\x16\xff\x00\x16\xff\x00\x1bE"),
        (Language::Star, b"\x1b@\x1b*rA\x1b*rP0\x00b\x02\x00\xff\x00b\x02\x00\xff\x00\x1b*rB\x1bd\x03"),
    ];
    for (language, bytes) in jobs {
        let found = understood(language, bytes);
        let [Understood::Print { sheet, copies: 1, .. }] = &found[..] else { panic!("{language:?}: {found:?}") };
        assert!(is_the_square(sheet), "{language:?}");
    }
}

#[test]
fn a_field_is_sent_back_when_its_label_is_printed() {
    let found =
        understood(Language::Zpl, b"^XA^FO32000,0^A0N,10,10^FN900^FDabcd^FS^FH_^HV900,4,IOT[,]_0D_0A,L^FS^XZ~HS");
    let [Understood::Print { then, text, .. }, Understood::Query(Query::ZplHostStatus)] = &found[..] else {
        panic!("{found:?}")
    };
    assert_eq!((then.as_slice(), text.as_str()), (&b"IOT[abcd]\r\n"[..], ""));
}

#[test]
fn questions_are_seen_and_nonsense_is_kept() {
    assert_eq!(understood(Language::Tspl, b"\x1b!?"), [Understood::Query(Query::TsplStatus)]);
    assert_eq!(understood(Language::Epl, b"US\r\n^ee\r\n").len(), 2);
    assert!(matches!(&understood(Language::Dymo, b"hello")[0], Understood::Problem(_)));
    assert!(matches!(&understood(Language::Epl, b"%PDF-1.4\r\nfoo\r\n")[..], [.., Understood::Problem(_)]));
    let star = understood(Language::Star, b"\x1b\x1eE\x00\x1b\x1ea\x01Hi\x17\x07");
    assert_eq!(star[2..], [Understood::Count, Understood::Drawer]);
}
