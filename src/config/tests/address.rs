//! `bootstrap.servers`.

use super::*;

#[test]
fn bootstrap_servers_are_read_as_java_reads_them() {
    for (text, expected) in [
        ("a:1", "a:1"),
        (
            " kafka-1:9092 ,\tkafka_2.example.com:65535 ",
            "kafka-1:9092 kafka_2.example.com:65535",
        ),
        ("127.0.0.1:9092,,", "127.0.0.1:9092"),
        (
            "[::1]:9092,[fe80::1%eth0]:9093",
            "[::1]:9092 [fe80::1%eth0]:9093",
        ),
        (
            "SASL_SSL://host:9093,EXTERNAL://[::1]:1",
            "host:9093 [::1]:1",
        ),
        ("a:1,a:2,b:1", "a:1 a:2 b:1"),
    ] {
        let servers = with("bootstrap.servers", text).bootstrap_servers;
        let shown: Vec<String> = servers.iter().map(Address::to_string).collect();
        assert_eq!(shown.join(" "), expected, "{text}");
        let typed = Config::new(text).validate().unwrap().bootstrap_servers;
        assert_eq!(typed, servers);
    }
    assert_eq!(Config::new("[::1]:9092").bootstrap_servers[0].host, "::1");
}

#[test]
fn wrong_bootstrap_servers_are_told_by_set_and_by_validate() {
    for (text, expected) in [
        (
            "",
            "bootstrap.servers is empty: name at least one broker as host:port",
        ),
        (
            " , ",
            "bootstrap.servers is empty: name at least one broker as host:port",
        ),
        (
            "kafka",
            r#"bootstrap.servers: "kafka" has no port: write host:port, 9092 is Kafka's usual one"#,
        ),
        (
            "a:1,b",
            r#"bootstrap.servers: "b" has no port: write host:port, 9092 is Kafka's usual one"#,
        ),
        (
            "[::1]",
            r#"bootstrap.servers: "[::1]" has no port: write host:port, 9092 is Kafka's usual one"#,
        ),
        (
            "[::1:9092",
            r#"bootstrap.servers: "[::1:9092" has no ] after its ["#,
        ),
        (
            "2001:db8::1:9092",
            "bootstrap.servers: \"2001:db8::1:9092\" has too many colons: an IPv6 address goes in \
             brackets",
        ),
        (
            ":9092",
            r#"bootstrap.servers: ":9092" has no host before its port"#,
        ),
        (
            "a:0",
            r#"bootstrap.servers: "a:0" needs a port from 1 to 65535 after its host"#,
        ),
        (
            "a:70000",
            r#"bootstrap.servers: "a:70000" needs a port from 1 to 65535 after its host"#,
        ),
        (
            "a:",
            r#"bootstrap.servers: "a:" needs a port from 1 to 65535 after its host"#,
        ),
        (
            "a:+1",
            r#"bootstrap.servers: "a:+1" needs a port from 1 to 65535 after its host"#,
        ),
        (
            "a:9092/",
            r#"bootstrap.servers: "a:9092/" needs a port from 1 to 65535 after its host"#,
        ),
        (
            "käfka:9092",
            r#"bootstrap.servers: "käfka:9092" has a character that no host name has"#,
        ),
        ("a:1, a:1", r#"bootstrap.servers: "a:1" is listed twice"#),
    ] {
        assert_eq!(refusal("bootstrap.servers", text), expected);
        let late = Config::new(text).validate().unwrap_err();
        assert_eq!(late.to_string(), expected);
    }
}

#[test]
fn credentials_in_an_address_are_not_repeated() {
    let error = refusal("bootstrap.servers", "alice:wonder@host:9092");
    assert!(error.contains("sasl.jaas.config"), "{error}");
    assert!(!error.contains("wonder"), "{error}");
}

#[test]
fn a_later_good_list_replaces_a_bad_one() {
    let config = Config::new("nonsense")
        .set("bootstrap.servers", "b:2")
        .unwrap();
    assert_eq!(
        config.validate().unwrap().bootstrap_servers[0].to_string(),
        "b:2"
    );
}

#[test]
fn a_protocol_before_an_address_that_is_not_the_one_spoken_is_warned_about() {
    let config = Config::new("SASL_SSL://a:1").validate().unwrap();
    assert_eq!(
        config.warnings(),
        ["bootstrap.servers says SASL_SSL://, which has no effect: security.protocol is PLAINTEXT"]
    );
    assert!(
        Config::new("plaintext://a:1")
            .validate()
            .unwrap()
            .warnings()
            .is_empty()
    );
}
