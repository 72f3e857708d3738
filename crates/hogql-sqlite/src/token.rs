//! HogQL cut into tokens, each with its place in the text.

use crate::error::QueryError;

/// Texts with more tokens are refused, so that no text can exhaust the stack.
const MOST_TOKENS: usize = 10_000;

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum TokenKind {
    /// A word, quoted or not.
    Word {
        text: String,
        quoted: bool,
    },
    Number(String),
    Text(String),
    Symbol(&'static str),
    End,
}

/// A token and the bytes of the text that it came from.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Token {
    pub(crate) kind: TokenKind,
    pub(crate) start: usize,
    pub(crate) end: usize,
}

/// Longer ones first.
const SYMBOLS: [&str; 32] = [
    "!~*", "=~*", "==", "!=", "<>", "<=", ">=", "=~", "!~", "||", "->", "::", "??", "?.", "=", "<",
    ">", "+", "-", "*", "/", "%", "(", ")", "[", "]", "{", "}", ",", ".", "?", ":",
];

/// Cuts `text` into tokens; the last one is [`TokenKind::End`].
pub(crate) fn tokens(text: &str) -> Result<Vec<Token>, QueryError> {
    let mut found: Vec<Token> = Vec::new();
    let mut at = 0;
    while let Some(next) = text[at..].chars().next() {
        let start = at;
        let kind = match next {
            space if space.is_whitespace() => {
                at += space.len_utf8();
                continue;
            }
            '-' if text[at..].starts_with("--") => {
                at += text[at..].find('\n').unwrap_or(text.len() - at);
                continue;
            }
            '/' if text[at..].starts_with("/*") => {
                let Some(length) = text[at..].find("*/") else {
                    return Err(unrecognized(text, start, text.len()));
                };
                at += length + 2;
                continue;
            }
            '\'' => {
                let (value, end) = quoted(text, at, '\'')?;
                at = end;
                TokenKind::Text(value)
            }
            quote @ ('`' | '"') => {
                let (value, end) = quoted(text, at, quote)?;
                at = end;
                TokenKind::Word {
                    text: value,
                    quoted: true,
                }
            }
            letter if letter.is_ascii_alphabetic() || matches!(letter, '_' | '$') => {
                at = end_of(text, at, |letter| {
                    letter.is_ascii_alphanumeric() || matches!(letter, '_' | '$')
                });
                TokenKind::Word {
                    text: text[start..at].to_owned(),
                    quoted: false,
                }
            }
            '0'..='9' => {
                at = if follows_member_dot(&found, start) {
                    end_of(text, at, |digit| digit.is_ascii_digit())
                } else {
                    end_of_number(text, at)
                };
                TokenKind::Number(text[start..at].to_owned())
            }
            '.' if text[at + 1..].starts_with(|digit: char| digit.is_ascii_digit())
                && !follows_operand(&found, start) =>
            {
                at = end_of_number(text, at);
                TokenKind::Number(text[start..at].to_owned())
            }
            _ => {
                let Some(symbol) = SYMBOLS
                    .into_iter()
                    .find(|symbol| text[at..].starts_with(symbol))
                else {
                    // One semicolon may end the text.
                    if text[at..].trim_end() == ";" {
                        break;
                    }
                    return Err(unrecognized(text, start, start + next.len_utf8()));
                };
                at += symbol.len();
                TokenKind::Symbol(symbol)
            }
        };
        found.push(Token {
            kind,
            start,
            end: at,
        });
        if found.len() > MOST_TOKENS {
            return Err(QueryError::syntax("The query is too long", start, at));
        }
    }
    found.push(Token {
        kind: TokenKind::End,
        start: text.len(),
        end: text.len(),
    });
    Ok(found)
}

fn unrecognized(text: &str, start: usize, end: usize) -> QueryError {
    let shown: String = text[start..end].chars().take(20).collect();
    QueryError::syntax(format!("token recognition error at: '{shown}'"), start, end)
}

fn end_of(text: &str, from: usize, belongs: impl Fn(char) -> bool) -> usize {
    text[from..]
        .find(|letter| !belongs(letter))
        .map_or(text.len(), |length| from + length)
}

fn end_of_number(text: &str, from: usize) -> usize {
    let digits = |at| end_of(text, at, |digit| digit.is_ascii_digit());
    let bytes = text.as_bytes();
    if text[from..].starts_with("0x") || text[from..].starts_with("0X") {
        return end_of(text, from + 2, |digit| digit.is_ascii_hexdigit());
    }
    let mut at = digits(from);
    if bytes.get(at) == Some(&b'.') {
        at = digits(at + 1);
    }
    if matches!(bytes.get(at), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(bytes.get(at + 1), Some(b'+' | b'-')));
        if bytes.get(at + 1 + sign).is_some_and(u8::is_ascii_digit) {
            at = digits(at + 1 + sign);
        }
    }
    at
}

/// True if `start` directly follows something that a member can be taken of.
fn follows_operand(found: &[Token], start: usize) -> bool {
    found.last().is_some_and(|token| {
        token.end == start
            && matches!(
                token.kind,
                TokenKind::Word { .. } | TokenKind::Symbol(")" | "]" | "}")
            )
    })
}

/// True after the dot of `pair.1`, where `1.2` is two members and not a fraction.
fn follows_member_dot(found: &[Token], start: usize) -> bool {
    found
        .last()
        .is_some_and(|token| token.end == start && token.kind == TokenKind::Symbol("."))
}

/// The content of what is quoted from `start` on, and where it ends.
fn quoted(text: &str, start: usize, quote: char) -> Result<(String, usize), QueryError> {
    let mut value = String::new();
    let mut letters = text[start + 1..].char_indices().peekable();
    while let Some((at, letter)) = letters.next() {
        if letter == quote {
            if letters.peek().is_some_and(|(_, next)| *next == quote) {
                letters.next();
                value.push(quote);
                continue;
            }
            return Ok((value, start + 1 + at + 1));
        }
        if letter != '\\' {
            value.push(letter);
            continue;
        }
        match letters.next() {
            Some((_, 'n')) => value.push('\n'),
            Some((_, 't')) => value.push('\t'),
            Some((_, 'r')) => value.push('\r'),
            Some((_, '0')) => value.push('\0'),
            Some((_, 'a')) => value.push('\u{7}'),
            Some((_, 'b')) => value.push('\u{8}'),
            Some((_, 'f')) => value.push('\u{c}'),
            Some((_, 'v')) => value.push('\u{b}'),
            Some((_, same)) if same == quote || same == '\\' => value.push(same),
            Some((_, other)) => value.extend(['\\', other]),
            None => break,
        }
    }
    Err(unrecognized(text, start, text.len()))
}
