use super::{Platform, Protocol, Settings, speakers::Speaker};

fn ask(protocol: Protocol, load: &str, bytes: &[u8]) -> String {
    let settings = Settings { protocol, ..Settings::default() };
    let mut platform = Platform::new(&settings).unwrap();
    platform.put(0, load, Some(0)).unwrap();
    let mut speaker = Speaker::new(&settings);
    let said: Vec<u8> = bytes.iter().flat_map(|byte| speaker.hear(1_000, *byte, &mut platform)).collect();
    said.escape_ascii().to_string()
}

#[test]
fn each_protocol_answers_as_its_manual_says() {
    assert_eq!(ask(Protocol::MtSics, "1.234", b"SI\r\n"), r"S S      1.234 kg\r\n");
    assert_eq!(ask(Protocol::MtSics, "20", b"SI\r\n"), r"S +\r\n");
    assert_eq!(
        ask(Protocol::MtSics, "0.100", b"T\r\nSI\r\nTA\r\n"),
        r"T S      0.100 kg\r\nS S      0.000 kg\r\nTA A      0.100 kg\r\n"
    );
    assert_eq!(ask(Protocol::MtSicsBasic, "1", b"SIR\r\nTA\r\n"), r"ES\r\nES\r\n");
    assert_eq!(ask(Protocol::Nci, "1.234", b"W\r"), r"\n01.234KG\r\n0p1\r\x03");
    assert_eq!(ask(Protocol::Nci, "0.100", b"Z\rQ\r"), r"\n2p1\r\x03\n?\r\x03");
    assert_eq!(ask(Protocol::CasPd, "1.234", b"\x05\x11"), r"\x06\x01\x02S 01.234kge\x03\x04");
    assert_eq!(ask(Protocol::Adam, "1.2", b"P\r\n"), r"+    1.200 kg\r\n");
    assert_eq!(
        ask(Protocol::Dialog06, "1.234", b"\x04\x0201\x1b000001\x1b\x03\x04\x05"),
        r"\x06\x0202\x1b3\x1b01234\x1b000001\x1b000001\x03"
    );
    assert_eq!(
        ask(Protocol::Dialog06, "-0.5", b"\x04\x0201\x1b000001\x1b\x03\x04\x05\x04\x0208\x03"),
        r"\x06\x15\x0209\x1b31\x03"
    );
}

#[test]
fn streams_need_no_question() {
    for (protocol, line) in [
        (Protocol::CasStream, b"ST,GS,1\xc0,   1.234 kg\r\n".as_slice()),
        (Protocol::AndStream, b"ST,GS,+001.234kg\r\n"),
    ] {
        let settings = Settings { protocol, ..Settings::default() };
        let mut platform = Platform::new(&settings).unwrap();
        platform.put(0, "1.234", Some(0)).unwrap();
        assert_eq!(Speaker::new(&settings).poll(10, &platform), line, "{protocol:?}");
        assert_eq!(line.len(), if protocol == Protocol::CasStream { 22 } else { 18 });
    }
}
