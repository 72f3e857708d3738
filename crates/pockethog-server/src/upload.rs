//! Reads the one file that can be uploaded: `multipart/form-data` with a single field (RFC 7578).

/// The content of the field `name` in a body of this `Content-Type`. `None` if there is none.
pub(super) fn field<'a>(content_type: &str, body: &'a [u8], name: &str) -> Option<&'a [u8]> {
    let boundary = content_type
        .split(';')
        .filter_map(|part| part.trim().strip_prefix("boundary="))
        .map(|boundary| boundary.trim_matches('"'))
        .find(|boundary| !boundary.is_empty())?;
    let delimiter = format!("--{boundary}");
    let mut rest = after(body, delimiter.as_bytes())?;
    loop {
        let part = rest.strip_prefix(b"\r\n")?;
        let head_end = find(part, b"\r\n\r\n")?;
        let head = std::str::from_utf8(part.get(..head_end)?).ok()?;
        let content = part.get(head_end + 4..)?;
        let end = find(content, format!("\r\n{delimiter}").as_bytes())?;
        let is_it = head.lines().any(|line| {
            let line = line.to_ascii_lowercase();
            line.starts_with("content-disposition:") && line.contains(&format!("; name=\"{name}\""))
        });
        if is_it {
            return content.get(..end);
        }
        rest = after(content.get(end..)?, delimiter.as_bytes())?;
    }
}

fn find(text: &[u8], wanted: &[u8]) -> Option<usize> {
    text.windows(wanted.len())
        .position(|window| window == wanted)
}

fn after<'a>(text: &'a [u8], wanted: &[u8]) -> Option<&'a [u8]> {
    text.get(find(text, wanted)? + wanted.len()..)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TYPE: &str = "multipart/form-data; boundary=----x7";

    #[test]
    fn the_file_is_found_among_other_fields() {
        let body = b"------x7\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n------x7\r\n\
            Content-Disposition: form-data; name=\"file\"; filename=\"p.toml\"\r\nContent-Type: text/plain\r\n\r\n\
            mode = \"dark\"\r\n\r\n------x7--\r\n";
        assert_eq!(field(TYPE, body, "file"), Some(&b"mode = \"dark\"\r\n"[..]));
        assert_eq!(field(TYPE, body, "a"), Some(&b"1"[..]));
        assert_eq!(field(TYPE, body, "b"), None);
    }

    #[test]
    fn a_body_that_is_cut_anywhere_is_no_file() {
        let body =
            b"------x7\r\nContent-Disposition: form-data; name=\"file\"\r\n\r\nabc\r\n------x7--";
        for length in 0..body.len() - 2 {
            assert_eq!(field(TYPE, &body[..length], "file"), None, "{length}");
        }
        assert_eq!(field("multipart/form-data", body, "file"), None);
    }
}
