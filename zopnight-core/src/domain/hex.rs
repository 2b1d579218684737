//! Lower-case hexadecimal and SHA-256, for ids and digests.

use sha2::{Digest as _, Sha256};

const DIGITS: &[u8; 16] = b"0123456789abcdef";

/// Two lower-case digits a byte.
#[must_use]
pub fn encode(bytes: &[u8]) -> String {
    bytes.iter().flat_map(|b| [b >> 4, b & 15]).filter_map(|n| DIGITS.get(usize::from(n))).map(|d| char::from(*d)).collect()
}

/// The reverse of [`encode`]; `None` for odd length or any other character, upper case included.
#[must_use]
pub fn decode(text: &str) -> Option<Vec<u8>> {
    let digit = |b: u8| DIGITS.iter().position(|d| *d == b).and_then(|n| u8::try_from(n).ok());
    let bytes = text.as_bytes();
    if !bytes.len().is_multiple_of(2) {
        return None;
    }
    bytes.chunks_exact(2).map(|pair| Some((digit(*pair.first()?)? << 4) | digit(*pair.get(1)?)?)).collect()
}

/// SHA-256 of `bytes`.
#[must_use]
pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

/// Whether `text` is exactly `length` lower-case hex digits.
#[must_use]
pub(crate) fn is_hex(text: &str, length: usize) -> bool {
    text.len() == length && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}
