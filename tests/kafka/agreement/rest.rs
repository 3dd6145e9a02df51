//! Everything but Produce: metadata, coordinators, versions, SASL, and requests that make no sense.

use super::Scenario;
use super::connection::{API_VERSIONS, METADATA, NONSENSE, PRODUCE};
use super::talk::Talk;

pub(super) const ALL: &[Scenario] = &[
    Scenario::new("metadata", metadata),
    Scenario::new(
        "topics that are created when they are asked for",
        auto_create,
    ),
    Scenario::new("names that no topic can have", illegal_names),
    Scenario::new("coordinators", coordinators),
    Scenario::new("versions of requests", versions),
    Scenario::new("requests that nobody knows", nonsense),
    Scenario::new("frames that are wrong", frames),
    Scenario::new("sasl where it is not needed", sasl_not_needed),
    Scenario::new("sasl plain", plain).by_sasl(),
    Scenario::new("sasl plain without headers", bare).by_sasl(),
    Scenario::new("sasl with another mechanism", mechanisms).by_sasl(),
    Scenario::new("a wrong password", wrong_password).by_sasl(),
    Scenario::new("requests before authentication", too_early).by_sasl(),
];

const TOKEN: &[u8] = b"\0alice\0alice-secret";

fn metadata(talk: &mut Talk<'_>) {
    let own = talk.topic.clone();
    for version in [4, 5, 7, 8, 9, 10, 12] {
        talk.metadata(&format!("v{version}"), version, Some(&[&own]), false);
    }
    talk.metadata("all, v4", 4, None, false);
    talk.metadata("all, v12", 12, None, false);
    talk.metadata("none, v4", 4, Some(&[]), false);
    talk.metadata("none, v12", 12, Some(&[]), true);
    let both: &[&str] = &["nobody-made-this", &own];
    talk.metadata("one unknown, v4", 4, Some(both), false);
    talk.metadata("one unknown, v12", 12, Some(both), false);
    talk.metadata("twice", 12, Some(&[&own, &own]), false);
}

fn auto_create(talk: &mut Talk<'_>) {
    for version in [4, 12] {
        let name = format!("made-by-v{version}");
        talk.metadata(&format!("v{version}"), version, Some(&[&name]), true);
        talk.until("leader", |talk| {
            talk.metadata(&format!("v{version} later"), version, Some(&[&name]), false);
        });
    }
}

fn illegal_names(talk: &mut Talk<'_>) {
    let long = "x".repeat(250);
    for name in [
        "",
        ".",
        "..",
        "a b",
        "ä",
        "a/b",
        &long,
        "__consumer_offsets_",
    ] {
        for allows_creation in [false, true] {
            // The last name is fine, and not there.
            if name.starts_with("__") && allows_creation {
                continue;
            }
            let what = format!("creation {allows_creation}");
            talk.metadata(&what, 12, Some(&[name]), allows_creation);
        }
    }
}

fn coordinators(talk: &mut Talk<'_>) {
    talk.find_coordinator(0, 0, &["group"]);
    for version in [1, 2, 3] {
        talk.find_coordinator(version, 0, &["group"]);
        talk.find_coordinator(version, 1, &["name"]);
    }
    for version in [4, 5, 6] {
        talk.find_coordinator(version, 0, &["group", "other"]);
        talk.find_coordinator(version, 1, &["name"]);
    }
    talk.find_coordinator(4, 1, &[]);
    talk.find_coordinator(4, 1, &[""]);
    talk.find_coordinator(2, 9, &["group"]);
    talk.find_coordinator(4, 9, &["group"]);
}

fn versions(talk: &mut Talk<'_>) {
    for version in [0, 1, 2, 3, 4, 99, -1] {
        talk.api_versions(&format!("v{version}"), version);
    }
    talk.still_serves("after them");
}

fn nonsense(talk: &mut Talk<'_>) {
    let told = |_: &mut Talk<'_>, _: super::bytes::In<'_>| "answered".to_owned();
    talk.ask("key 999", (&NONSENSE, 0), |_| {}, told);
    talk.ask("produce v99", (&PRODUCE, 99), |_| {}, told);
    talk.ask("produce v-1", (&PRODUCE, -1), |_| {}, told);
    talk.ask("metadata v99", (&METADATA, 99), |_| {}, told);
    talk.ask("metadata without a body", (&METADATA, 4), |_| {}, told);
    talk.ask(
        "metadata with a body too long",
        (&METADATA, 4),
        |out| {
            out.i32(-1);
            out.raw(&[0; 9]);
        },
        told,
    );
    let many = |out: &mut super::bytes::Out| out.i32(i32::MAX);
    talk.ask("metadata of 2^31 topics", (&METADATA, 4), many, told);
    talk.ask("versions without a body", (&API_VERSIONS, 3), |_| {}, told);
}

fn frames(talk: &mut Talk<'_>) {
    let mut broken = |what: &str, bytes: &[u8]| {
        talk.reconnect();
        talk.connection().send_raw(bytes);
        talk.hung_up(what);
    };
    broken("200 MB", &200_000_000_i32.to_be_bytes());
    broken("a negative length", &[0xff; 4]);
    broken("no bytes", &[0; 4]);
    broken("half a header", &[0, 0, 0, 4, 0, 18, 0, 0]);
    broken("http", b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    broken("tls", &[0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3]);
}

fn sasl_not_needed(talk: &mut Talk<'_>) {
    talk.handshake("handshake v0", 0, "PLAIN");
    talk.still_serves("after it");
    talk.handshake("handshake v1", 1, "PLAIN");
    talk.still_serves("after it");
    talk.authenticate("token", 2, TOKEN);
    talk.still_serves("after it");
}

fn plain(talk: &mut Talk<'_>) {
    for version in 0..=2 {
        talk.reconnect();
        talk.api_versions("versions", 3);
        talk.handshake("handshake", 1, "PLAIN");
        talk.authenticate(&format!("token v{version}"), version, TOKEN);
        talk.still_serves("after it");
        let own = talk.topic.clone();
        talk.metadata("metadata", 4, Some(&[&own]), false);
    }
    talk.reconnect();
    talk.handshake("handshake without versions", 1, "PLAIN");
    talk.authenticate("token", 1, b"\0bob\0bob-secret");
    talk.reconnect();
    talk.handshake("handshake", 1, "PLAIN");
    talk.authenticate("acting as oneself", 1, b"alice\0alice\0alice-secret");
}

fn bare(talk: &mut Talk<'_>) {
    talk.handshake("handshake v0", 0, "PLAIN");
    talk.connection().send_frame(TOKEN);
    let frame = talk.connection().frame();
    talk.note("token", format!("{frame:?}"));
    talk.still_serves("after it");
    talk.reconnect();
    talk.handshake("handshake v0", 0, "PLAIN");
    talk.connection().send_frame(b"\0alice\0wrong");
    talk.hung_up("wrong token");
}

fn mechanisms(talk: &mut Talk<'_>) {
    for version in [0, 1] {
        for mechanism in ["GSSAPI", "plain", ""] {
            talk.reconnect();
            talk.handshake(&format!("{mechanism:?} v{version}"), version, mechanism);
            talk.hung_up("after it");
        }
    }
}

fn wrong_password(talk: &mut Talk<'_>) {
    let tokens: [(&str, &[u8]); 8] = [
        ("wrong password", b"\0alice\0wrong"),
        ("wrong user", b"\0carol\0alice-secret"),
        ("another's password", b"\0alice\0bob-secret"),
        ("acting as another", b"bob\0alice\0alice-secret"),
        ("no zero bytes", b"alice"),
        ("too many parts", b"\0alice\0alice-secret\0"),
        ("empty password", b"\0alice\0"),
        ("nothing", b""),
    ];
    for (version, (what, token)) in [0, 1, 2].into_iter().cycle().zip(tokens) {
        talk.reconnect();
        talk.handshake("handshake", 1, "PLAIN");
        talk.authenticate(&format!("{what} v{version}"), version, token);
        talk.hung_up("after it");
    }
}

fn too_early(talk: &mut Talk<'_>) {
    let own = talk.topic.clone();
    talk.metadata("metadata", 4, Some(&[&own]), false);
    talk.init("producer id", 1, None, (-1, -1));
    talk.authenticate("token before the handshake", 1, TOKEN);
    talk.reconnect();
    talk.api_versions("versions", 99);
    talk.api_versions("versions", 0);
    talk.api_versions("versions again", 0);
    talk.handshake("handshake", 1, "PLAIN");
    talk.api_versions("versions after the handshake", 0);
    talk.hung_up("after it");
    talk.reconnect();
    talk.handshake("handshake", 1, "PLAIN");
    talk.handshake("handshake again", 1, "PLAIN");
    talk.hung_up("after it");
    talk.reconnect();
    talk.handshake("handshake", 1, "PLAIN");
    talk.metadata("metadata after the handshake", 4, Some(&[&own]), false);
    talk.hung_up("after it");
    talk.reconnect();
    talk.handshake("handshake", 1, "PLAIN");
    talk.init("producer id after the handshake", 1, None, (-1, -1));
    talk.hung_up("after it");
    talk.reconnect();
    talk.handshake("handshake", 1, "PLAIN");
    talk.find_coordinator(2, 1, &["name"]);
    talk.reconnect();
    talk.handshake("handshake", 1, "PLAIN");
    talk.produce("batch after the handshake", &super::batch::of(&["a"]));
    talk.reconnect();
    talk.handshake("handshake v99", 99, "PLAIN");
}
