//! Addresses of files on the hub, and where redirects lead.

use ureq::http::Uri;

/// Scheme, host and port of an HTTP address: whoever is at the same origin may see the same secrets.
pub fn origin(url: &str) -> Option<(String, String, u16)> {
    let uri: Uri = url.parse().ok()?;
    let scheme = uri.scheme_str()?.to_ascii_lowercase();
    let usual = match scheme.as_str() {
        "https" => 443,
        "http" => 80,
        _ => return None,
    };
    Some((scheme, uri.host()?.to_ascii_lowercase(), uri.port_u16().unwrap_or(usual)))
}

/// The host of an address, to be shown: unlike the rest, it can't hold secrets.
pub fn host(url: &str) -> String {
    origin(url).map_or("the server".to_string(), |(_, host, _)| host)
}

/// The address that a `Location` header at `base` means.
pub fn join(base: &str, location: &str) -> Option<String> {
    // Some servers send spaces and letters as they are.
    let graphic: String = (33..127).map(char::from).collect();
    let location = percent_encode(location, &graphic);
    let (scheme, rest) = base.split_once("://")?;
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    let url = if origin(&location).is_some() {
        location
    } else if location.starts_with("//") {
        format!("{scheme}:{location}")
    } else if location.starts_with('/') {
        format!("{scheme}://{authority}{location}")
    } else {
        let path = path.split(['?', '#']).next().unwrap_or_default();
        let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
        format!("{scheme}://{authority}{folder}/{location}")
    };
    origin(&url).map(|_| url)
}

/// Writes bytes other than letters, digits, `-_.~` and those in `kept` as `%20`.
pub fn percent_encode(text: &str, kept: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        let c = char::from(byte);
        if byte.is_ascii() && (c.is_ascii_alphanumeric() || "-_.~".contains(c) || kept.contains(c)) {
            encoded.push(c);
        } else {
            encoded += &format!("%{byte:02X}");
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_scheme_host_and_port() {
        let same = |a: &str, b: &str| origin(a).unwrap() == origin(b).unwrap();
        assert!(same("https://Hub.co/x", "https://hub.co:443/y?z"));
        assert!(!same("https://hub.co", "http://hub.co"));
        assert!(!same("http://hub.co:8080", "http://hub.co:8081"));
        assert!(!same("https://hub.co", "https://hub.co.evil.com"));
        assert!(!same("https://hub.co", "https://hub.co@evil.com/"));
        for not_an_address in ["hub.co", "file:///etc/passwd", "", "/x", "https://"] {
            assert_eq!(origin(not_an_address), None, "{not_an_address}");
        }
    }

    #[test]
    fn redirects_may_be_absolute_or_relative() {
        let base = "https://hub.co/a/b?q=/x";
        for (location, meant) in [
            ("http://cdn.co/y?s=%2F", "http://cdn.co/y?s=%2F"),
            ("//cdn.co/y", "https://cdn.co/y"),
            ("/y z", "https://hub.co/y%20z"),
            ("y", "https://hub.co/a/y"),
        ] {
            assert_eq!(join(base, location).as_deref(), Some(meant));
        }
        assert_eq!(join("https://hub.co", "y").as_deref(), Some("https://hub.co/y"));
        assert_eq!(join(base, "//"), None);
    }

    #[test]
    fn names_with_spaces_and_unicode_are_percent_encoded() {
        assert_eq!(percent_encode("a b/猫#1%.txt", "/"), "a%20b/%E7%8C%AB%231%25.txt");
        assert_eq!(percent_encode("refs/pr/1", ""), "refs%2Fpr%2F1");
    }
}
