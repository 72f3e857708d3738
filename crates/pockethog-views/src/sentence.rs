//! Words of an error or a reason, as a sentence for a person.

use std::fmt::Display;

/// The words as a sentence: with a capital letter and a full stop.
pub fn sentence(words: impl Display) -> String {
    let mut text = capitalised(words.to_string().trim());
    if !text.ends_with(['.', '!', '?', ':']) {
        text.push('.');
    }
    text
}

/// The words with a capital letter.
pub fn capitalised(words: &str) -> String {
    let mut letters = words.chars();
    let first = letters.next().into_iter().flat_map(char::to_uppercase);
    first.chain(letters).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sentence_has_a_capital_letter_and_one_full_stop() {
        assert_eq!(
            sentence(" the keychain is locked "),
            "The keychain is locked."
        );
        assert_eq!(sentence("Is the year right?"), "Is the year right?");
        assert_eq!(sentence("élan"), "Élan.");
        assert_eq!(capitalised(""), "");
    }
}
