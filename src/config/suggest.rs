//! The name that was probably meant.

/// The known name that is nearest to `given`, if any is near enough to be a slip.
pub(super) fn nearest<'a>(given: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let given = normalised(given);
    let slips_max = (given.len() / 4).clamp(1, 4);
    known
        .filter_map(|name| Some((distance_between(&given, name)?, name)))
        .filter(|(distance, _)| *distance <= slips_max)
        .min_by_key(|(distance, name)| (*distance, name.len()))
        .map(|(_, name)| name)
}

/// `None` is hopeless, 0 is the same but for separators, case or a missing end.
fn distance_between(given: &str, name: &str) -> Option<usize> {
    // `linger` for linger.ms, `max.in.flight` for max.in.flight.requests.per.connection.
    let unfinished = name
        .strip_prefix(given)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
    if unfinished && !given.is_empty() {
        return Some(0);
    }
    // Longer than any name: not worth the square of its length.
    (given.len() <= 80).then(|| edits(given.as_bytes(), name.as_bytes()))
}

fn normalised(given: &str) -> String {
    given.to_ascii_lowercase().replace(['_', '-'], ".")
}

/// Levenshtein's distance: insertions, deletions and replacements that make `a` of `b`.
fn edits(a: &[u8], b: &[u8]) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}
