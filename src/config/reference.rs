//! `${provider:path:key}` in a value, found as Java's ConfigTransformer finds it.

/// A part of a value.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Piece<'a> {
    Text(&'a str),
    Reference(Reference<'a>),
}

/// `${provider:key}` or `${provider:path:key}`.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Reference<'a> {
    /// All of it.
    pub(super) text: &'a str,
    pub(super) provider: &'a str,
    /// Empty if there is none.
    pub(super) path: &'a str,
    pub(super) key: &'a str,
}

impl Reference<'_> {
    /// For messages.
    pub(super) fn shown(&self) -> String {
        const CHARS_MAX: usize = 300;
        self.text.chars().take(CHARS_MAX).collect()
    }
}

/// The value in pieces, of which none is left out.
pub(super) fn pieces(value: &str) -> Vec<Piece<'_>> {
    let (mut pieces, mut rest, mut from) = (Vec::new(), value, 0);
    while let Some(at) = rest[from..].find("${").map(|at| from + at) {
        let Some(len) = rest[at..].find('}').map(|end| end + 1) else {
            break;
        };
        let text = &rest[at..at + len];
        let Some((provider, inner)) = text[2..len - 1].split_once(':') else {
            from = at + len;
            continue;
        };
        let (path, key) = inner.split_once(':').unwrap_or(("", inner));
        pieces.push(Piece::Text(&rest[..at]));
        pieces.push(Piece::Reference(Reference {
            text,
            provider,
            path,
            key,
        }));
        (rest, from) = (&rest[at + len..], 0);
    }
    pieces.push(Piece::Text(rest));
    pieces.retain(|piece| *piece != Piece::Text(""));
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Text as it is, references as `<provider|path|key>`.
    fn shown(value: &str) -> String {
        let shown = |piece: &Piece<'_>| match piece {
            Piece::Text(text) => (*text).to_owned(),
            Piece::Reference(it) => format!("<{}|{}|{}>", it.provider, it.path, it.key),
        };
        let pieces = pieces(value);
        let whole = pieces.iter().map(|piece| match piece {
            Piece::Text(text) => *text,
            Piece::Reference(reference) => reference.text,
        });
        assert_eq!(whole.collect::<String>(), value);
        pieces.iter().map(shown).collect()
    }

    #[test]
    fn references_are_found_where_java_finds_them() {
        let golden = include_str!("../../tests/golden/references.txt");
        let rows = golden.lines().filter(|line| !line.starts_with("# "));
        let rows: Vec<_> = rows.filter_map(|line| line.split_once('\t')).collect();
        assert!(rows.len() > 25);
        for (value, expected) in rows {
            assert_eq!(shown(value), expected, "{value}");
        }
        assert_eq!(pieces(""), []);
    }
}
