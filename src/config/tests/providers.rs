//! Values by reference.

use std::path::{Path, PathBuf};

use super::super::keys::{KEYS, Treatment};
use super::super::security_keys::SECURITY_KEYS;
use super::*;

/// A directory with files, gone with the value.
struct Files(PathBuf);

impl Files {
    fn new(test: &str, files: &[(&str, &[u8])]) -> Self {
        let name = format!("milena-{test}-{}", std::process::id());
        let place = std::env::temp_dir().join(name);
        std::fs::create_dir_all(place.join("inner")).unwrap();
        for (name, bytes) in files {
            std::fs::write(place.join(name), bytes).unwrap();
        }
        Self(place)
    }

    fn path(&self, name: &str) -> String {
        self.0.join(name).display().to_string()
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn providers() -> Config {
    with("config.providers", "file, env,dir")
}

fn error(config: Result<Config, Error>) -> String {
    config.unwrap_err().to_string()
}

#[test]
fn references_stand_for_keys_files_and_variables() {
    let files = Files::new(
        "references",
        &[
            ("s.properties", b"id=first\nid = al\\u0069ce\nempty=\n"),
            ("whole", b"alice\n"),
            ("two", b"al\nice\r\n"),
            ("inner/id", b"alice"),
        ],
    );
    let properties = files.path("s.properties");
    for (value, expected) in [
        (format!("${{file:{properties}:id}}"), "alice"),
        (format!("${{file:{properties}:empty}}"), ""),
        (format!("${{file:{}}}", files.path("whole")), "alice"),
        (format!("${{file:{}}}", files.path("two")), "al\nice"),
        (format!("${{dir:{}:id}}", files.path("inner")), "alice"),
        ("${env:CARGO_PKG_NAME}".into(), "milena"),
        (
            format!("a-${{env:CARGO_PKG_NAME}}-${{file:{properties}:id}}."),
            "a-milena-alice.",
        ),
        ("${HOME}".into(), "${HOME}"),
    ] {
        let config = providers().set("client.id", &value).unwrap();
        assert_eq!(config.client_id, expected, "{value}");
        assert!(config.warnings().is_empty(), "{:?}", config.warnings());
    }
}

#[test]
fn in_a_file_the_providers_may_stand_anywhere() {
    let files = Files::new("anywhere", &[("s.properties", b"password=wonder")]);
    let text = format!(
        "bootstrap.servers=a:1
         security.protocol=SASL_SSL
         sasl.mechanism=PLAIN
         sasl.jaas.config=x.PlainLoginModule required username=\"${{env:CARGO_PKG_NAME}}\" \
             password=\"${{secrets:{}:password}}\";
         config.providers.secrets.class=org.apache.kafka.common.config.provider.FileConfigProvider
         config.providers.env.class=org.apache.kafka.common.config.provider.EnvVarConfigProvider
         config.providers=secrets,env",
        files.path("s.properties")
    );
    let config = Config::from_properties(&text).unwrap();
    let Some(SaslConfig::Plain { username, password }) = &config.sasl else {
        panic!("no credentials");
    };
    assert_eq!((username.as_str(), password.expose()), ("milena", "wonder"));
    assert!(config.warnings().is_empty(), "{:?}", config.warnings());
    let explained = config.explained(|_| Ok(())).to_string();
    let line = explained
        .lines()
        .find(|line| line.starts_with("sasl.jaas.config"));
    let words: Vec<&str> = line.unwrap().split_whitespace().collect();
    assert_eq!(
        words.join(" "),
        "sasl.jaas.config [hidden] line 4, by reference"
    );
}

#[test]
fn without_a_provider_of_its_name_a_reference_is_text_and_a_warning() {
    let config = with("client.id", "a${env:CARGO_PKG_NAME}b");
    assert_eq!(config.client_id, "a${env:CARGO_PKG_NAME}b");
    let expected = "client.id: ${env:...} is taken as it stands, because config.providers does \
                    not name env: set config.providers=env before it";
    assert_eq!(config.warnings(), [expected]);
    // What may be a piece of a password is not shown.
    let jaas = "x.PlainLoginModule required username=\"a\" password=\"b${hush:hush}c\";";
    let config = providers().set("sasl.jaas.config", jaas).unwrap();
    let Some(SaslConfig::Plain { password, .. }) = &config.sasl else {
        panic!("no credentials");
    };
    assert_eq!(password.expose(), "b${hush:hush}c");
    let [warning] = config.warnings() else {
        panic!("{:?}", config.warnings());
    };
    assert!(warning.starts_with("sasl.jaas.config: ${...:...} is taken as it stands"));
}

#[test]
fn what_stands_for_a_reference_is_not_looked_at_again() {
    let files = Files::new("again", &[("a", b"${env:CARGO_PKG_NAME}")]);
    let value = format!("${{file:{}}}", files.path("a"));
    let config = providers().set("client.id", &value).unwrap();
    assert_eq!(config.client_id, "${env:CARGO_PKG_NAME}");
}

#[test]
fn a_reference_that_leads_nowhere_names_the_setting_itself_and_what_to_do() {
    let large = vec![b'x'; (4 << 20) + 1];
    let files = Files::new(
        "nowhere",
        &[
            ("s.properties", b"id=hush\n"),
            ("broken", b"hush=\\u12"),
            ("latin", b"hush \xe9"),
            ("large", &large),
            ("half", &large[..(2 << 20) + 1]),
        ],
    );
    let (s, inner) = (files.path("s.properties"), files.path("inner"));
    for (reference, expected) in [
        (
            format!("${{file:{s}:di}}"),
            "the file has no such key: add it, or correct the name",
        ),
        (
            format!("${{file:{inner}/s:di}}"),
            "cannot read the file: No such file or directory (os error 2): create it, or correct \
             the path",
        ),
        (format!("${{file:{inner}}}"), "it is not a file"),
        (format!("${{file:{inner}:a}}"), "it is not a file"),
        (
            format!("${{file:{}:a}}", files.path("broken")),
            "line 1: \\u is not followed by four hexadecimal digits",
        ),
        (
            format!("${{file:{}}}", files.path("latin")),
            "cannot read the file: line 1 is not UTF-8; save the file as UTF-8, or write \\u00e9 \
             for such characters",
        ),
        (
            format!("${{file:{}}}", files.path("large")),
            "cannot read the file: it is larger than 4 MiB",
        ),
        (
            format!("${{dir:{}:../s.properties}}", inner),
            "write ${NAME:DIRECTORY:FILE}, the name of a file in it",
        ),
        (
            format!("${{dir:{s}}}"),
            "write ${NAME:DIRECTORY:FILE}, the name of a file in it",
        ),
        (
            format!("${{dir:{inner}:..}}"),
            "write ${NAME:DIRECTORY:FILE}, the name of a file in it",
        ),
        (
            "${env:MILENA_IS_NOT_SET}".into(),
            "there is no such environment variable: set it for this process, or correct the name",
        ),
        (
            "${env:}".into(),
            "there is no such environment variable: set it for this process, or correct the name",
        ),
        (
            "${env:a:CARGO_PKG_NAME}".into(),
            "a variable has no path: write ${NAME:VARIABLE}",
        ),
    ] {
        let error = error(providers().set("sasl.jaas.config", &reference));
        assert_eq!(error, format!("sasl.jaas.config: {reference}: {expected}"));
    }
    // What is no key may be a piece of a secret.
    let error_of_none = error(providers().set("hush=hush", "${env:MILENA_IS_NOT_SET}"));
    assert!(!error_of_none.contains("hush"), "{error_of_none}");
    let half = format!("${{file:{}}}", files.path("half"));
    let error = error(providers().set("client.id", &half.repeat(2)));
    assert_eq!(error, "client.id: its references come to more than 4 MiB");
}

#[cfg(unix)]
#[test]
fn a_device_is_not_read() {
    let error = error(providers().set("client.id", "${file:/dev/zero}"));
    assert_eq!(error, "client.id: ${file:/dev/zero}: it is not a file");
}

#[test]
fn a_provider_reads_what_it_is_allowed_to() {
    let files = Files::new("allowed", &[("a", b"alice"), ("inner/b", b"bob")]);
    let inner = files.path("inner");
    let limited = || {
        let key = "config.providers.file.param.allowed.paths";
        providers().set(key, &inner).unwrap()
    };
    let read = |name: &str| {
        let config = limited().set("client.id", &format!("${{file:{}}}", files.path(name)));
        config.map(|config| config.client_id)
    };
    assert_eq!(read("inner/b").unwrap(), "bob");
    assert_eq!(read("inner/./../inner/b").unwrap(), "bob");
    for name in ["a", "inner/../a", "inner-too/b", "../a"] {
        let told = read(name).unwrap_err().to_string();
        assert!(
            told.ends_with("file.param.allowed.paths does not allow it"),
            "{told}"
        );
    }
    // Each provider has its own.
    let directory = format!("${{dir:{}:a}}", files.0.display());
    assert_eq!(
        limited().set("client.id", &directory).unwrap().client_id,
        "alice"
    );

    let key = "config.providers.env.param.allowlist.pattern";
    for (pattern, is_allowed) in [
        ("CARGO_PKG_NAME", true),
        ("CARGO_.*", true),
        (".*", true),
        (".*_PKG_.*", true),
        ("HOME|CARGO_.*_NAME", true),
        ("CARGO_.*_NAME_.*", false),
        ("CARGO_PKG", false),
        ("PKG_NAME", false),
        ("PKG_.*", false),
        (".*_PKG", false),
        ("CARGO_PKG_NAME.*NAME", false),
        ("", false),
    ] {
        let config = providers().set(key, pattern).unwrap();
        let config = config.set("client.id", "${env:CARGO_PKG_NAME}");
        assert_eq!(config.is_ok(), is_allowed, "{pattern}");
    }
    assert!(refusal(key, "KAFKA_[A-Z]+").contains("names, with .* in them"));
}

#[test]
fn providers_that_cannot_be_are_refused() {
    let place = std::env::temp_dir().display().to_string();
    for (key, value, expected) in [
        (
            "config.providers",
            "a b",
            "has a name with other characters",
        ),
        (
            "config.providers.v.class",
            "com.example.Vault",
            "is a class of Java",
        ),
        ("config.providers.file.param.user", "x", "leave this out"),
        ("config.providers.file", "x", "leave this out"),
        (
            "config.providers.file.param.allowed.paths",
            "etc",
            "not absolute, or does not exist",
        ),
        (
            "config.providers.file.param.allowed.paths",
            "/no/such",
            "or does not exist",
        ),
        (
            "config.providers.file.param.allowed.paths",
            "",
            "names no path",
        ),
    ] {
        let error = refusal(key, value);
        assert!(
            error.starts_with(key) && error.contains(expected),
            "{error}"
        );
    }
    let complaint = |config: Config| config.validate().unwrap_err().to_string();
    let unknown = complaint(with("config.providers", "vault"));
    assert!(
        unknown.starts_with("config.providers names vault, which is not"),
        "{unknown}"
    );
    let set = |key, value: &str| providers().set(key, value).unwrap();
    let of_env = complaint(set("config.providers.env.param.allowed.paths", &place));
    assert!(of_env.starts_with("config.providers.env.param.allowed.paths: it limits nothing"));
    let of_file = complaint(set("config.providers.file.param.allowlist.pattern", "A"));
    assert!(of_file.starts_with("config.providers.file.param.allowlist.pattern: it limits"));
    let unnamed = with("config.providers.x.class", "FileConfigProvider")
        .validate()
        .unwrap();
    let expected = "config.providers.x has no effect: config.providers does not name x";
    assert_eq!(unnamed.warnings(), [expected]);
    assert!(
        with("config.providers.x.class", "FileConfigProvider")
            .set("config.providers", "x")
            .unwrap()
            .validate()
            .is_ok()
    );
}

#[test]
fn a_limit_that_comes_after_the_first_value_is_refused() {
    let used = || {
        providers()
            .set("client.id", "${env:CARGO_PKG_NAME}")
            .unwrap()
    };
    let key = "config.providers.env.param.allowlist.pattern";
    let told = error(used().set(key, "HOME"));
    assert!(
        told.starts_with(&format!("{key}: a value was taken from this provider")),
        "{told}"
    );
    let class = "org.apache.kafka.common.config.provider.EnvVarConfigProvider";
    assert!(providers().set("config.providers.env.class", class).is_ok());
    assert!(
        error(used().set("config.providers.env.class", "FileConfigProvider")).contains("already")
    );
}

/// Whatever the setting does with such a value.
#[test]
fn no_value_that_came_by_reference_is_shown() {
    for value in [
        "hush",
        "hush:1",
        "7s hush",
        "hush hush://hush:0",
        "1.hush",
        "hush,\n\"hush\"",
    ] {
        let files = Files::new("shown", &[("secret", value.as_bytes())]);
        let reference = format!("${{file:{}}}", files.path("secret"));
        for (key, treatment) in KEYS.iter().chain(SECURITY_KEYS) {
            if key.starts_with("config.providers") {
                continue;
            }
            let told = match providers().set(key, &reference) {
                Ok(config) => {
                    let explained = config.explained(|_| Ok(()));
                    format!(
                        "{config:?} {explained} {explained:?} {:?}",
                        config.warnings()
                    )
                }
                Err(error) => {
                    assert!(
                        error.to_string().starts_with(&format!("{key}: ")),
                        "{error}"
                    );
                    format!("{error} {error:?}")
                }
            };
            assert!(!told.contains("hush"), "{key}: {told}");
            let is_read = matches!(treatment, Treatment::Read(_));
            assert!(is_read || told.contains(key), "{key}: {told}");
        }
        let topic = providers().set("topic.t.compression.type", &reference);
        assert!(!error(topic).contains("hush"));
    }
    let number = Files::new("number", &[("ms", b"4242s"), ("good", b"4242")]);
    let of = |name| providers().set("linger.ms", &format!("${{file:{}}}", number.path(name)));
    assert!(!error(of("ms")).contains("4242"));
    let config = of("good").unwrap();
    assert_eq!(config.linger, Duration::from_millis(4242));
    assert!(!format!("{config:?} {}", config.explained(|_| Ok(()))).contains("4242"));
    // A value in code is shown again.
    let config = config.linger(Duration::from_millis(4243));
    assert!(format!("{config:?}").contains("4243"));
    assert!(Path::new(&number.path("ms")).exists());
}
