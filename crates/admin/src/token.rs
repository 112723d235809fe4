use data_encoding::HEXLOWER_PERMISSIVE;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use utoipa::ToSchema;

/// What the owner of a token may do.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Look.
    Read,
    /// Look and change.
    Operate,
}

/// What somebody shows to be let in, as far as it is known here: its hash.
#[derive(Clone, PartialEq, Eq)]
pub struct Token {
    /// Whose it is, for the audit log.
    pub name: String,
    /// What it is good for.
    pub role: Role,
    sha256: [u8; 32],
}

/// A hash is none.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("is no SHA-256 in hexadecimal digits")]
pub struct TokenError;

impl Token {
    /// A token by its SHA-256, 64 hexadecimal digits.
    pub fn new(name: &str, role: Role, sha256: &str) -> Result<Token, TokenError> {
        let bytes = HEXLOWER_PERMISSIVE.decode(sha256.as_bytes()).map_err(|_| TokenError)?;
        Ok(Token { name: name.to_owned(), role, sha256: bytes.try_into().map_err(|_| TokenError)? })
    }

    /// A token by itself.
    pub fn of(name: &str, role: Role, secret: &str) -> Token {
        Token { name: name.to_owned(), role, sha256: Sha256::digest(secret.as_bytes()).into() }
    }

    /// Its SHA-256 as it stands in the configuration file.
    pub fn sha256(&self) -> String {
        HEXLOWER_PERMISSIVE.encode(&self.sha256)
    }

    /// Finds the token that was shown. Takes as long for a wrong one as for a right one.
    pub(crate) fn find<'a>(tokens: &'a [Token], shown: &str) -> Option<&'a Token> {
        let hash: [u8; 32] = Sha256::digest(shown.as_bytes()).into();
        tokens.iter().fold(None, |found, token| if bool::from(token.sha256.ct_eq(&hash)) { Some(token) } else { found })
    }
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Token").field("name", &self.name).field("role", &self.role).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_known_by_its_hash_alone() {
        let token = Token::of("ops", Role::Operate, "a secret");
        let read = Token::new("ops", Role::Operate, &token.sha256().to_uppercase()).unwrap();
        assert_eq!(read, token);
        let all = [Token::of("other", Role::Read, "another"), token];
        assert_eq!(Token::find(&all, "a secret").map(|token| token.role), Some(Role::Operate));
        assert_eq!(Token::find(&all, "A secret"), None);
        assert!(!format!("{all:?}").contains(&all[1].sha256()));
    }

    #[test]
    fn what_is_no_hash_is_refused() {
        for text in ["", "12", "zz", &"0".repeat(63), &"0".repeat(66)] {
            assert_eq!(Token::new("x", Role::Read, text), Err(TokenError), "{text}");
        }
    }
}
