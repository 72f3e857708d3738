//! How long files and crates are, without their tests.

use std::path::Path;

use syn::spanned::Spanned;
use syn::visit::Visit;

use crate::modules::{attributes, is_for_tests};

/// The lines of a file without its tests.
pub(crate) fn of_file(file: &Path) -> usize {
    lines_without_tests(&std::fs::read_to_string(file).unwrap())
}

/// The lines of a file, comments and empty lines included, without the items that are there for tests alone.
fn lines_without_tests(text: &str) -> usize {
    let file = syn::parse_file(text).unwrap();
    if is_for_tests(&file.attrs) {
        return 0;
    }
    let mut tests = Tests(0);
    tests.visit_file(&file);
    text.lines().count() - tests.0
}

/// Counts the lines of what is there for tests.
struct Tests(usize);

impl<'ast> Visit<'ast> for Tests {
    fn visit_item(&mut self, item: &'ast syn::Item) {
        if is_for_tests(attributes(item)) {
            self.0 += item.span().end().line - item.span().start().line + 1;
        } else {
            syn::visit::visit_item(self, item);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tests_do_not_count_and_comments_do() {
        let text = "//! A module.\n\nfn a() {\n}\n\n#[cfg(test)]\nmod tests {\n    #[test]\n    fn b() {}\n}\n";
        assert_eq!(lines_without_tests(text), 5);
    }

    #[test]
    fn a_file_of_tests_has_no_lines() {
        assert_eq!(lines_without_tests("#![cfg(test)]\nfn a() {}\n"), 0);
    }
}
