//! Just enough of Rust's grammar to tell code from comments and strings, and one function from the next.

/// The text with comments and the contents of strings replaced by spaces. Line ends stay where they are.
pub(crate) fn code(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    let mut in_word = false;
    while let Some(c) = rest.chars().next() {
        let (kept, length) = next(rest, c, in_word);
        if kept {
            out.push_str(&rest[..length]);
        } else {
            out.extend(blank(&rest[..length]));
        }
        in_word = is_word(c);
        rest = &rest[length..];
    }
    out
}

/// Whether what comes next is code, and how long it is.
fn next(rest: &str, c: char, in_word: bool) -> (bool, usize) {
    if rest.starts_with("//") {
        (false, rest.find('\n').unwrap_or(rest.len()))
    } else if rest.starts_with("/*") {
        (false, block_comment(rest))
    } else if c == '"' {
        (false, string(rest))
    } else if let Some(length) = raw_string(rest).filter(|_| !in_word) {
        (false, length)
    } else if c == '\'' {
        char_literal(rest).map_or((true, 1), |length| (false, length))
    } else {
        (true, c.len_utf8())
    }
}

/// The quotes of a string stay, so that an attribute with a value still looks like one.
fn blank(text: &str) -> impl Iterator<Item = char> {
    text.chars().map(|c| match c {
        '\n' | '"' => c,
        _ => ' ',
    })
}

fn is_word(c: char) -> bool {
    c == '_' || c.is_alphanumeric()
}

fn block_comment(text: &str) -> usize {
    let mut depth = 0;
    let mut at = 0;
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        if rest.starts_with("/*") {
            depth += 1;
            at += 2;
        } else if rest.starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += rest.chars().next().map_or(1, char::len_utf8);
        }
    }
    text.len()
}

fn string(text: &str) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// The length of `r"..."`, `br#"..."#` and the like.
fn raw_string(text: &str) -> Option<usize> {
    let prefix = text.find('r').filter(|&at| at <= 1)?;
    if !["", "b", "c"].contains(&&text[..prefix]) {
        return None;
    }
    let after = &text[prefix + 1..];
    let hashes = after.bytes().take_while(|&b| b == b'#').count();
    let inside = after[hashes..].strip_prefix('"')?;
    let end = format!("\"{}", "#".repeat(hashes));
    let found = inside.find(&end).map_or(inside.len(), |at| at + end.len());
    Some(prefix + 1 + hashes + 1 + found)
}

/// `'a'`, `'\n'`; not the lifetime `'a`.
fn char_literal(text: &str) -> Option<usize> {
    let mut chars = text.char_indices().skip(1);
    let (_, first) = chars.next()?;
    if first == '\\' {
        chars.next()?;
        return chars.find(|&(_, c)| c == '\'').map(|(at, _)| at + 1);
    }
    chars
        .next()
        .filter(|&(_, c)| c == '\'')
        .map(|(at, _)| at + 1)
}

/// How many lines hold code.
pub(crate) fn code_lines(code: &str) -> usize {
    code.lines().filter(|line| !line.trim().is_empty()).count()
}

/// A function: its name, the number of its first line, how many lines of code it has.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Function {
    pub(crate) name: String,
    pub(crate) line: usize,
    pub(crate) length: usize,
}

/// The functions with a body, those inside of others too.
pub(crate) fn functions(code: &str) -> Vec<Function> {
    let starts = words(code).filter(|&(_, word)| word == "fn");
    let functions = starts.filter_map(|(at, _)| {
        let name: String = code[at + 2..]
            .trim_start()
            .chars()
            .take_while(|&c| is_word(c))
            .collect();
        if name.is_empty() {
            // A type: `fn(u32) -> u32`.
            return None;
        }
        let end = body_end(&code[at..])?;
        Some(Function {
            name,
            line: code[..at].matches('\n').count() + 1,
            length: code_lines(&code[at..at + end]),
        })
    });
    functions.collect()
}

/// Where the body of the function at the start of `code` ends. `None`: it has none.
fn body_end(code: &str) -> Option<usize> {
    let (mut braces, mut others) = (0_i32, 0_i32);
    for (at, c) in code.char_indices() {
        match c {
            '(' | '[' => others += 1,
            ')' | ']' => others -= 1,
            '{' => braces += 1,
            '}' => {
                braces -= 1;
                if braces == 0 && others == 0 {
                    return Some(at + 1);
                }
            }
            // `[u8; 4]` in the signature has one too.
            ';' if braces == 0 && others == 0 => return None,
            _ => {}
        }
    }
    None
}

/// The words of a code, with where they begin.
pub(crate) fn words(code: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut at = 0;
    code.split(|c: char| !is_word(c)).filter_map(move |word| {
        let start = at;
        // What separates words is one character long, which may be more than one byte.
        at += word.len();
        at += code[at..].chars().next().map_or(0, char::len_utf8);
        (!word.is_empty()).then_some((start, word))
    })
}

/// The number of the line at a place.
pub(crate) fn line_of(code: &str, at: usize) -> usize {
    code[..at].matches('\n').count() + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_strings_are_no_code() {
        let text = r##"fn f<'a>(x: &'a str) { // unsafe
    let c = '"'; /* unsafe /* nested */ unsafe */ let s = "unsafe \" unsafe";
    let r = r#"unsafe " unsafe"#; let n = '\''; for_r"unsafe";
}"##;
        let code = code(text);
        assert!(!words(&code).any(|(_, word)| word == "unsafe"), "{code}");
        assert_eq!(code.lines().count(), text.lines().count());
        for kept in ["fn f<'a>(x: &'a str) {", "let s =", "let n =", "for_r"] {
            assert!(code.contains(kept), "{kept} in {code}");
        }
    }

    #[test]
    fn functions_are_measured_without_blank_and_comment_lines() {
        let text = "trait T {\n    fn none(&self, x: [u8; 4]);\n    fn one(&self) {}\n}\n\nfn three() {\n    // why\n\n    g();\n}\ntype F = fn(u8);\n";
        let found = functions(&code(text));
        let found: Vec<_> = found
            .iter()
            .map(|f| (f.name.as_str(), f.line, f.length))
            .collect();
        assert_eq!(found, [("one", 3, 1), ("three", 6, 3)]);
    }
}
