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
        for (value, expected) in [
            ("", ""),
            ("plain $ { } text", "plain $ { } text"),
            ("${env:A}", "<env||A>"),
            ("${file:/a/b.properties:c.d}", "<file|/a/b.properties|c.d>"),
            ("${file:/a}", "<file||/a>"),
            ("x${env:A}y${env:B}z", "x<env||A>y<env||B>z"),
            ("${env:A}${env:B}", "<env||A><env||B>"),
            ("${a:b:c:d}", "<a|b|c:d>"),
            ("${a::c}", "<a||c>"),
            ("${:}", "<||>"),
            ("${HOME}", "${HOME}"),
            ("${HOME} ${env:A}", "${HOME} <env||A>"),
            ("${x${env:A}}", "<x${env||A>}"),
            ("${env:A", "${env:A"),
            ("$${env:A}", "$<env||A>"),
            ("é${env:é}é", "é<env||é>é"),
        ] {
            assert_eq!(shown(value), expected, "{value}");
        }
    }
}
