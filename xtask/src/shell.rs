//! Just enough of the shell's grammar to take the commands out of an example.

/// The simple commands of a shell example, each as its words.
///
/// Pipes, lists and the like separate commands; redirections, comments and assignments before a command are left out. A command
/// substitution is read as one word.
pub(crate) fn commands(text: &str) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    let mut words: Vec<String> = Vec::new();
    let mut redirected = false;
    for token in tokens(text) {
        match token {
            Token::End => found.push(std::mem::take(&mut words)),
            Token::Redirection => redirected = true,
            Token::Word(_) if redirected => redirected = false,
            Token::Word(word) if words.is_empty() && is_assignment(&word) => {}
            Token::Word(word) => words.push(word),
        }
    }
    found.push(words);
    found.retain(|words| !words.is_empty());
    found
}

enum Token {
    Word(String),
    Redirection,
    /// Of a simple command.
    End,
}

fn tokens(text: &str) -> Vec<Token> {
    let mut out = Vec::new();
    let mut word: Option<String> = None;
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\\' if chars.peek() == Some(&'\n') => drop(chars.next()),
            '\\' => word.get_or_insert_default().extend(chars.next()),
            '\'' => word
                .get_or_insert_default()
                .extend(chars.by_ref().take_while(|&c| c != '\'')),
            '"' => quoted(&mut chars, word.get_or_insert_default()),
            '$' if chars.peek() == Some(&'(') => {
                let inside = chars.by_ref().skip(1).take_while(|&c| c != ')');
                word.get_or_insert_default().extend(inside);
            }
            '#' if word.is_none() => while chars.next_if(|&c| c != '\n').is_some() {},
            '\n' | ';' | '|' | '&' | '(' | ')' => {
                out.extend(word.take().map(Token::Word));
                out.push(Token::End);
            }
            '<' | '>' => {
                // `2>` is a redirection of 2, not a word.
                let before = word.take();
                out.extend(
                    before
                        .filter(|word| !word.bytes().all(|b| b.is_ascii_digit()))
                        .map(Token::Word),
                );
                while chars.next_if(|&c| matches!(c, '>' | '<' | '&')).is_some() {}
                out.push(Token::Redirection);
            }
            c if c.is_whitespace() => out.extend(word.take().map(Token::Word)),
            c => word.get_or_insert_default().push(c),
        }
    }
    out.extend(word.map(Token::Word));
    out
}

fn quoted(chars: &mut std::iter::Peekable<std::str::Chars<'_>>, word: &mut String) {
    while let Some(c) = chars.next() {
        match c {
            '"' => return,
            '\\' => word.extend(chars.next()),
            c => word.push(c),
        }
    }
}

fn is_assignment(word: &str) -> bool {
    word.split_once('=').is_some_and(|(name, _)| {
        !name.is_empty() && name.bytes().all(|b| b == b'_' || b.is_ascii_alphanumeric())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_taken_apart() {
        let text = "# a comment\nRUST_LOG=x settled run -i 'a b.txt' \\\n  -o \"out.jsonl\" -- sh -c 'x | y' # why\n\
                    find . -print0 2>/dev/null | settled run -0 -- wc {} > sums && echo done\nkill -9 $(pidof settled)\n";
        let expected: [&[&str]; 5] = [
            &[
                "settled",
                "run",
                "-i",
                "a b.txt",
                "-o",
                "out.jsonl",
                "--",
                "sh",
                "-c",
                "x | y",
            ],
            &["find", ".", "-print0"],
            &["settled", "run", "-0", "--", "wc", "{}"],
            &["echo", "done"],
            &["kill", "-9", "pidof settled"],
        ];
        assert_eq!(commands(text), expected);
    }
}
