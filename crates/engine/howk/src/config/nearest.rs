//! The known name that a wrong one was most likely meant to be.

/// The nearest of `known`, if one is near enough to be worth naming.
pub(super) fn nearest<'a>(wrong: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let most = wrong.chars().count().div_ceil(3);
    let leaf = |name: &str| name.rsplit('.').next().unwrap_or_default().to_owned();
    known
        .into_iter()
        .map(|name| {
            // The right name in the wrong section is nearer than any other word.
            let same_leaf = leaf(name) == leaf(wrong);
            (if same_leaf { 1 } else { distance(wrong, name) }, name)
        })
        .min()
        .filter(|(edits, _)| *edits <= most.max(1))
        .map(|(_, name)| name)
}

/// Number of characters to insert, remove or replace to make one text of the other; two that changed places
/// count as one.
fn distance(from: &str, to: &str) -> usize {
    let (from, to): (Vec<char>, Vec<char>) = (from.chars().take(128).collect(), to.chars().collect());
    let mut rows: Vec<Vec<usize>> = vec![(0..=to.len()).collect()];
    for i in 1..=from.len() {
        let mut row = vec![i];
        for j in 1..=to.len() {
            let changed = usize::from(from[i - 1] != to[j - 1]);
            let mut best = (rows[i - 1][j] + 1).min(row[j - 1] + 1).min(rows[i - 1][j - 1] + changed);
            if i > 1 && j > 1 && from[i - 1] == to[j - 2] && from[i - 2] == to[j - 1] {
                best = best.min(rows[i - 2][j - 2] + 1);
            }
            row.push(best);
        }
        rows.push(row);
    }
    rows[from.len()][to.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_what_was_meant() {
        let known = ["lua.timeout", "lua.enabled", "api.listen", "lua.http_timeout"];
        for (wrong, meant) in [
            ("lua.timeuot", Some("lua.timeout")),
            ("lua.enable", Some("lua.enabled")),
            ("api.timeout", Some("lua.timeout")),
            ("zzz", None),
            ("", None),
        ] {
            assert_eq!(nearest(wrong, known), meant, "{wrong}");
        }
    }
}
