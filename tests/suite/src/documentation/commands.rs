//! The commands that documents print, and whether there are such.

use clap::error::ErrorKind;

/// How a person reaches the operator: by itself, in a quickstart, in compose.
pub(super) const PREFIXES: [&[&str]; 3] =
    [&[], &["deploy/quickstart"], &["docker", "compose", "run", "--rm"]];
/// The first line of SQL that people run who only read.
pub(super) const AS_READER: &str = "-- as a reader";
/// What a placeholder stands for, where it is no number.
pub(super) const PLACEHOLDERS: [(&str, &str); 5] = [
    ("ID", "7"),
    ("PULL/CHUNK/PLACE", "7/1/3"),
    ("STAGE", "finalizer"),
    ("TIME", "2h"),
    ("VERSION", "0.2.0"),
];
/// Commands of compose whose first plain argument is a service.
pub(super) const OF_A_SERVICE: [&str; 5] = ["exec", "run", "logs", "stop", "restart"];

/// What stands in the fenced blocks of a language.
pub(super) fn blocks(text: &str, language: &str) -> Vec<String> {
    let fence = format!("```{language}\n");
    text.split(&fence).skip(1).filter_map(|rest| Some(rest.split_once("```")?.0.to_owned())).collect()
}

/// The code spans outside of blocks.
pub(super) fn spans(text: &str) -> Vec<String> {
    let prose = text.split("```").step_by(2).collect::<String>();
    prose.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

/// The commands in a shell script, each as its words; those in `$(…)` and behind pipes too. As much of the shell's grammar as
/// the documentation uses.
pub(super) fn commands(script: &str) -> Vec<Vec<String>> {
    let script = script.replace("\\\n", " ");
    let mut commands = Vec::new();
    for line in script.lines() {
        let (mut command, mut word, mut quote) = (Vec::new(), String::new(), None);
        let mut letters = line.chars().peekable();
        while let Some(letter) = letters.next() {
            match (quote, letter) {
                (Some(mark), _) if mark == letter => quote = None,
                (Some('"') | None, '$') if letters.peek() == Some(&'(') => {
                    letters.next();
                    let inner: String = letters.by_ref().take_while(|letter| *letter != ')').collect();
                    commands.extend(self::commands(&inner));
                    word.push('x');
                }
                (None, '\'' | '"') => quote = Some(letter),
                (None, '#') if word.is_empty() => break,
                (None, '|' | '&' | ';' | '(' | ')' | '{' | '}') => {
                    command.push(std::mem::take(&mut word));
                    commands.push(std::mem::take(&mut command));
                }
                (None, _) if letter.is_whitespace() => command.push(std::mem::take(&mut word)),
                _ => word.push(letter),
            }
        }
        command.push(word);
        commands.push(command);
    }
    let is_setting =
        |word: &String| word.split_once('=').is_some_and(|(name, _)| name.chars().all(is_of_a_name));
    commands
        .into_iter()
        .map(|words| words.into_iter().filter(|word| !word.is_empty()))
        .map(|words| words.skip_while(is_setting).take_while(|word| !word.starts_with(['<', '>'])).collect())
        .filter(|words: &Vec<String>| !words.is_empty())
        .collect()
}

pub(super) fn is_of_a_name(letter: char) -> bool {
    letter.is_ascii_uppercase() || letter == '_'
}

/// The arguments, where these words start the operator.
pub(super) fn arguments(words: &[String]) -> Option<Vec<String>> {
    let arguments = PREFIXES.iter().find_map(|prefix| {
        let there =
            words.len() > prefix.len() && words.iter().zip(*prefix).all(|(word, known)| word == known);
        words
            .get(prefix.len()..)?
            .split_first()
            .filter(|(name, _)| there && *name == "operator")
            .map(|it| it.1)
    })?;
    Some(arguments.iter().filter_map(|word| argument(word)).collect())
}

/// An argument as somebody would write it; none for what only says that more may follow.
pub(super) fn argument(word: &str) -> Option<String> {
    let word = word.trim_matches(['[', ']']);
    let placeholder = PLACEHOLDERS.iter().find(|(name, _)| *name == word);
    match word {
        "…" | "..." => None,
        _ if placeholder.is_some() => placeholder.map(|(_, value)| (*value).to_owned()),
        _ if word.chars().all(is_of_a_name) => Some("1".to_owned()),
        _ => Some(word.to_owned()),
    }
}

/// Why the operator does not know this command, if it does not. `whole`: it must be complete; a text may also speak of a
/// command without what it needs.
pub(super) fn unknown(arguments: &[String], whole: bool) -> Option<String> {
    let line = std::iter::once("operator").chain(arguments.iter().map(String::as_str));
    let error = operator::command_line().try_get_matches_from(line).err()?;
    let is_part = [
        ErrorKind::MissingRequiredArgument,
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand,
        ErrorKind::MissingSubcommand,
    ];
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => None,
        kind if !whole && is_part.contains(&kind) => None,
        _ => Some(format!("operator {}: {error}", arguments.join(" "))),
    }
}
