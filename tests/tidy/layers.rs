//! Which layer may import which: design rules that keep the modules in one direction.

use super::lex::paths;
use super::{Source, hold};

/// A layer, its modules, and the layers that they may import. A file belongs to the longest module
/// that begins its path, and may import from that one too.
const LAYERS: [[&str; 3]; 15] = [
    ["base", "survive sync time", "base"],
    ["codes", "wire/codes", ""],
    ["wire", "wire", "codes"],
    ["compress", "compress", "base"],
    [
        "facts",
        "error process record delivery dial callbacks latch config credentials oauth partitioner \
         interceptor",
        "base codes compress facts",
    ],
    ["conn", "conn", "base codes wire facts"],
    [
        "view",
        "cluster serializer metrics",
        "base codes wire facts",
    ],
    [
        "accumulator",
        "accumulator",
        "base codes wire compress facts view",
    ],
    ["txn", "txn", "base codes wire facts conn view accumulator"],
    [
        "broker",
        "broker",
        "base codes wire compress facts conn view accumulator txn",
    ],
    [
        "top",
        "cluster/updater cluster/identity clock expiry check explain shutdown producer typed guide",
        "base codes wire compress facts conn view accumulator txn broker top",
    ],
    ["mock", "mock", "base codes wire compress"],
    ["fuzzing", "fuzzing", "base codes wire compress facts conn"],
    [
        "sim",
        "sim",
        "base codes wire compress facts conn view accumulator broker top",
    ],
    [
        "models",
        "models",
        "base codes wire compress facts conn view accumulator broker top",
    ],
];

#[test]
fn layers_import_downwards_only() {
    hold(upward_imports);
    let told = |path: &str, text: &str| upward_imports(&Source::new(path, text));
    assert_eq!(
        told(
            "src/broker/sender.rs",
            "use crate::{error::Error, conn::{Connector}};"
        ),
        [""; 0]
    );
    assert_eq!(
        told(
            "src/record.rs",
            "use crate::wire::codes::Code;\nuse std::fmt;"
        ),
        [""; 0]
    );
    assert_eq!(told("src/lib.rs", "use crate::mock::MockCluster;"), [""; 0]);
    let bad = "use crate::{
            time,
            wire::{codes::Code, buf},
        };
        fn f() { crate::Error::new() }";
    let expected = [
        "src/record.rs:1: facts imports wire/buf of wire",
        "src/record.rs:5: Error is not in a layer: import from its module, or add it to LAYERS",
    ];
    assert_eq!(told("src/record.rs", bad), expected);
    let updater = ["src/broker/mod.rs:1: broker imports cluster/updater of top"];
    assert_eq!(
        told("src/broker/mod.rs", "use crate::cluster::updater;"),
        updater
    );
    let above = ["src/conn/sasl/plain.rs:1: conn imports broker of broker"];
    assert_eq!(
        told("src/conn/sasl/plain.rs", "use super::super::super::broker;"),
        above
    );
    assert_eq!(
        told("src/conn/sasl/plain.rs", "use super::super::tls;"),
        [""; 0]
    );
    assert!(told("src/news.rs", "")[0].starts_with("src/news.rs:1: news is not in a layer"));
}

fn upward_imports(source: &Source) -> Vec<String> {
    if !source.path.starts_with("src/") || source.path == "src/lib.rs" {
        return Vec::new();
    }
    let unknown = |path: &str| {
        let name = path.split('/').next().unwrap_or_default();
        format!("{name} is not in a layer: import from its module, or add it to LAYERS")
    };
    let module = source.module();
    let Some((layer, entry, may)) = layer_of(module) else {
        return vec![source.at(0, unknown(module))];
    };
    let may: Vec<&str> = may.split(' ').collect();
    let mut found = Vec::new();
    let absolute = paths(&source.live, "crate").into_iter();
    let relative = paths(&source.live, "super").into_iter();
    for (offset, path) in absolute.chain(relative) {
        let path = resolve(module, &path);
        match layer_of(&path) {
            None => found.push(source.at(offset, unknown(&path))),
            Some((theirs, other, _)) if other == entry || may.contains(&theirs) => {}
            Some((theirs, ..)) => {
                let text = format!("{layer} imports {path} of {theirs}");
                found.push(source.at(offset, text));
            }
        }
    }
    found
}

/// The layer of a module path, the longest entry of it that fits, and what the layer may import.
fn layer_of(path: &str) -> Option<(&'static str, &'static str, &'static str)> {
    let layers = LAYERS.iter();
    let entries = layers.flat_map(|[layer, modules, may]| {
        let modules = modules.split(' ');
        modules.map(move |module| (*layer, module, *may))
    });
    let fits = |entry: &str| {
        let rest = path.strip_prefix(entry);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    entries
        .filter(|(_, entry, _)| fits(entry))
        .max_by_key(|(_, entry, _)| entry.len())
}

/// A path that starts with `crate` or `super`, seen from the root.
fn resolve(module: &str, path: &str) -> String {
    if let Some(rest) = path.strip_prefix("crate/") {
        return rest.into();
    }
    let (mut parts, mut path): (Vec<&str>, &str) = (module.split('/').collect(), path);
    while let Some(rest) = path.strip_prefix("super/") {
        parts.pop();
        path = rest;
    }
    parts.push(path);
    parts.join("/")
}
