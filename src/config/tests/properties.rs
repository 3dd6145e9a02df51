//! Properties files, their syntax and what they make of a config.

use super::super::properties::parse;
use super::*;

/// `key=value` of each property, with the line it begins in.
fn read(text: &str) -> Vec<String> {
    let shown = |property: super::super::properties::Property| {
        format!("{} {}={}", property.line, property.key, *property.value)
    };
    parse(text).unwrap().into_iter().map(shown).collect()
}

#[test]
fn separators_are_javas() {
    for text in [
        "key=value",
        "key:value",
        "key value",
        "key\tvalue",
        "key\u{c}value",
        "key = value",
        "  key : value",
        "key   value",
        "\tkey\t=\tvalue",
        "key \u{c}= \tvalue",
    ] {
        assert_eq!(read(text), ["1 key=value"], "{text:?}");
    }
    assert_eq!(read("key==value"), ["1 key==value"]);
    assert_eq!(read("key= =value"), ["1 key==value"]);
    assert_eq!(read("key :=value"), ["1 key==value"]);
    assert_eq!(read("key"), ["1 key="]);
    assert_eq!(read("key ="), ["1 key="]);
    assert_eq!(read("=value"), ["1 =value"]);
    assert_eq!(read("key = a b  "), ["1 key=a b  "]);
    assert_eq!(read("a\u{a0}b=c"), ["1 a\u{a0}b=c"]);
}

#[test]
fn escaped_separators_belong_to_the_key() {
    assert_eq!(read(r"a\=b\:c\ d=e"), ["1 a=b:c d=e"]);
    assert_eq!(read(r"a\\=b"), [r"1 a\=b"]);
    assert_eq!(read(r"\#a=b"), ["1 #a=b"]);
}

#[test]
fn comments_and_blank_lines_are_skipped() {
    let text = "# one\n! two\n   # three\n\n \t\u{c}\na=1#no comment\n#b=\\\nc=2\n";
    assert_eq!(read(text), ["6 a=1#no comment", "8 c=2"]);
}

#[test]
fn lines_end_in_any_of_three_ways() {
    assert_eq!(
        read("a=1\nb=2\r\nc=3\rd=4"),
        ["1 a=1", "2 b=2", "3 c=3", "4 d=4"]
    );
    assert_eq!(read("a=1\\\r\n  2\r\nb=3\\\r 4"), ["1 a=12", "3 b=34"]);
}

#[test]
fn a_backslash_continues_a_line_without_the_next_ones_blanks() {
    assert_eq!(read("a=1,\\\n  \t2,\\\n3\nb=4"), ["1 a=1,2,3", "4 b=4"]);
    assert_eq!(read("a=1\\\\\nb=2"), [r"1 a=1\", "2 b=2"]);
    assert_eq!(read("a=1\\\\\\\nb=2"), [r"1 a=1\b=2"]);
    assert_eq!(read("a=1\\\n#2"), ["1 a=1#2"]);
    assert_eq!(read("a=1\\\n\nb=2"), ["1 a=1", "3 b=2"]);
    assert_eq!(read("a=1\\"), ["1 a=1"]);
    assert_eq!(read("a\\\n = 1"), ["1 a=1"]);
    assert_eq!(read("\\\n# comment\n\\\n\nb=2\n\\"), ["5 b=2"]);
}

#[test]
fn escapes_are_javas() {
    assert_eq!(read(r"a=\t\n\r\f\\\x\'\q"), ["1 a=\t\n\r\u{c}\\x'q"]);
    assert_eq!(read(r"a\u0062=\u00e9\u20AC\ud83d\uDE00"), ["1 ab=é€😀"]);
    assert_eq!(read("a=é€😀"), ["1 a=é€😀"]);
    assert_eq!(read("\u{feff}a=1"), ["1 a=1"]);
}

#[test]
fn malformed_escapes_are_errors_with_their_line() {
    let digits = "\\u is not followed by four hexadecimal digits";
    let lone = "a \\u escape is half of a surrogate pair";
    for (escape, what) in [
        (r"\u12", digits),
        (r"\u12g4", digits),
        (r"\u+123", digits),
        (r"\uuuuu", digits),
        (r"\ud83d", lone),
        (r"\ud83dx", lone),
        (r"\ud83d\n", lone),
        (r"\ud83d\u0041", lone),
        (r"\ude00", lone),
        (r"\ud83d\u00", digits),
    ] {
        let malformed = parse(&format!("a=1\n\npassword=hush{escape}"))
            .err()
            .unwrap();
        assert_eq!((malformed.line, malformed.what), (3, what), "{escape}");
        let error = Config::from_properties(&format!("a={escape}")).unwrap_err();
        assert_eq!(error.to_string(), format!("line 1: {what}"));
    }
}

#[test]
fn any_text_is_read_without_a_panic() {
    let pieces = ["\\", "\n", "\r", "u12", "=", " ", "#", "é", "a", "\u{feff}"];
    for code in 0..10_000 {
        let digits = [code % 10, code / 10 % 10, code / 100 % 10, code / 1000];
        let text: String = digits.iter().map(|digit| pieces[*digit]).collect();
        let _ = parse(&text);
    }
}

#[test]
fn properties_make_a_config_and_need_bootstrap_servers() {
    let config = Config::from_properties(
        "# mine\r\nbootstrap.servers = a:1,\\\r\n    b:2\r\nacks=all\r\nlinger.ms:5\r\n",
    );
    let config = config.unwrap();
    assert_eq!(config.bootstrap_servers.len(), 2);
    assert_eq!(
        (config.acks, config.linger),
        (Acks::All, Duration::from_millis(5))
    );
    let error = Config::from_properties("acks=all").unwrap_err();
    assert_eq!(
        error.to_string(),
        "the properties: bootstrap.servers is missing: set it to host:port of one broker or more"
    );
    let later = super::config().set_properties("acks=all").unwrap();
    assert_eq!(later.acks, Acks::All);
}

#[test]
fn the_last_value_of_a_key_holds_with_a_warning() {
    let text = "bootstrap.servers=a:1\nacks=nonsense\nlinger.ms=1\nacks=0\nacks=all";
    let config = Config::from_properties(text).unwrap();
    assert_eq!(config.acks, Acks::All);
    assert_eq!(
        config.warnings(),
        [
            "line 2: acks is set again in line 5, which holds",
            "line 4: acks is set again in line 5, which holds",
        ]
    );
}

#[test]
fn errors_of_properties_name_line_and_key() {
    let error = Config::from_properties("bootstrap.servers=a:1\n\nlinger=5").unwrap_err();
    assert_eq!(
        error.to_string(),
        r#"line 3: unknown setting "linger": did you mean linger.ms?"#
    );
    let error = config().set_properties("\\\nretries=\\\nx").unwrap_err();
    assert_eq!(
        error.to_string(),
        r#"line 2: retries: "x" is not a whole number"#
    );
}

/// A file of its own for one test, removed in the end.
struct TempFile(std::path::PathBuf);

impl TempFile {
    fn new(name: &str, bytes: &[u8]) -> Self {
        let name = format!("milena-{}-{name}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::write(&path, bytes).unwrap();
        Self(path)
    }
}

impl Drop for TempFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

#[test]
fn files_are_named_in_their_errors() {
    let good = TempFile::new("good.properties", b"bootstrap.servers=a:1\nacks=0\n");
    assert_eq!(Config::from_file(&good.0).unwrap().acks, Acks::None);

    let bad = TempFile::new("bad.properties", b"# mine\nacks=9\n");
    let error = Config::from_file(&bad.0).unwrap_err().to_string();
    let name = bad.0.display();
    assert_eq!(
        error,
        format!("{name}:2: acks: \"9\" is not one of 0, 1, all, -1")
    );

    let partial = TempFile::new("partial.properties", b"acks=0\n");
    let error = Config::from_file(&partial.0).unwrap_err().to_string();
    let name = partial.0.display();
    assert!(
        error.starts_with(&format!("{name}: bootstrap.servers is missing")),
        "{error}"
    );
    assert_eq!(config().set_file(&partial.0).unwrap().acks, Acks::None);
}

#[test]
fn files_that_cannot_be_read_are_told_by_their_reason() {
    let missing = std::env::temp_dir().join("milena-no-such-file.properties");
    let error = Config::from_file(&missing).unwrap_err().to_string();
    assert!(error.starts_with("cannot read the settings in "), "{error}");
    assert!(
        error.contains("milena-no-such-file.properties: "),
        "{error}"
    );
    assert!(Config::from_file(std::env::temp_dir()).is_err());

    let latin = TempFile::new("latin.properties", b"a=1\nclient.id=caf\xe9\n");
    let error = Config::from_file(&latin.0).unwrap_err().to_string();
    assert!(error.contains("line 2 is not UTF-8"), "{error}");

    let large = TempFile::new("large.properties", &vec![b'#'; (4 << 20) + 1]);
    let error = Config::from_file(&large.0).unwrap_err().to_string();
    assert!(error.ends_with("it is larger than 4 MiB"), "{error}");
}
