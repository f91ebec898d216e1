use super::*;

fn read(kind: &'static str, query: &str, sent: bool) -> Result<String, String> {
    let mut filters = Filters::parse(query);
    let action = parse(kind, &mut filters, sent);
    let action = action.and_then(|action| filters.finish().map(|()| action));
    action.map(|action| action.command()).map_err(|error| error.words().to_owned())
}

#[test]
fn an_address_is_an_order() {
    for (kind, query, sent, command) in [
        (
            "replay",
            "group=3fa9",
            false,
            "dead-letters replay --group 3fa9 --canary --tolerate 0.1 --patience 1m",
        ),
        ("replay", "group=3fa9&limit=5", true, "dead-letters replay --group 3fa9 --limit 5"),
        (
            "replay",
            "all=yes&to=finalizer&rate=20&canary=yes&tolerate=0.25&patience=90s",
            true,
            "dead-letters replay --all --to finalizer --rate 20 --canary --tolerate 0.25 --patience '1m 30s'",
        ),
        ("replay", "all=yes&to=its+own+stage&tolerate=0.1&patience=1m", true, "dead-letters replay --all"),
        ("hold", "group=3fa9&until-build=1.2.0", true, "dead-letters hold --group 3fa9 --until-build 1.2.0"),
        ("discard", "all=yes", true, "dead-letters discard --all"),
        ("hold", "stage=finalizer&pull=7", true, "dead-letters hold --stage finalizer --pull 7"),
        (
            "discard",
            "class=permanent&code=test&channel=7&game=9&since=2026-07-12T10:00:00Z&until=2026-07-13T10:00:00Z&state=held",
            true,
            "dead-letters discard --class permanent --code test --channel 7 --game 9 --since 2026-07-12T10:00:00Z \
             --until 2026-07-13T10:00:00Z --state held",
        ),
        ("restore", "id=4,5", true, "dead-letters restore 4 5"),
        ("rerun", "pull=7&from=merge", true, "rerun 7 --from merge"),
        ("pause", "stage=finalizer&minutes=5&reason=a+b", true, "pause finalizer --for 300s --reason 'a b'"),
        ("run-once", "stage=finalizer", true, "run-once finalizer"),
        ("cancel", "pull=7", true, "cancel 7"),
    ] {
        assert_eq!(read(kind, query, sent).as_deref(), Ok(command), "{query}");
    }
}

#[test]
fn what_is_missing_or_odd_is_said() {
    for (kind, query, words) in [
        ("replay", "", "Nothing is selected"),
        ("replay", "since=yesterday", "since cannot be"),
        ("replay", "all=yes&rate=0", "cannot be 0"),
        ("replay", "all=yes&limit=0", "cannot be 0"),
        ("replay", "all=yes&tolerate=2", "from 0 to 1"),
        ("replay", "all=yes&patience=soon", "patience cannot be"),
        ("replay", "all=yes&to=nowhere", "it is one of its own stage"),
        ("hold", "all=yes&until-build=next", "until-build cannot be"),
        ("discard", "all=yes&pull=7", "not both"),
        ("restore", "", "by number"),
        ("restore", "id=x", "are no numbers"),
        ("pause", "", "Give the stage"),
        ("pause", "stage=finalizer&reason=a%0Ab", "one line"),
        ("cancel", "", "pull=123"),
        ("resume", "stage=finalizer&colour=red", "There is no filter"),
    ] {
        let error = read(kind, query, true).unwrap_err();
        assert!(error.contains(words), "{query}: {error}");
    }
}
