//! Tokens of callers, and what each may do.
//!
//! A token is compared as its SHA-256, with every token there is, in a time that does not depend on the
//! outcome. Where there are no tokens everybody may do everything; such a server listens on this machine
//! only.

use super::error::ApiError;
use crate::config::{Scope, Token};
use axum::http::{HeaderMap, StatusCode, header};
use howk_contract::ConfigId;
use sha2::{Digest, Sha256};
use std::sync::Arc;
use subtle::{Choice, ConditionallySelectable, ConstantTimeEq};

/// The tokens of a server.
#[derive(Debug, Clone)]
pub(super) struct Access {
    tokens: Arc<[Arc<Token>]>,
}

/// The caller of a request.
#[derive(Debug, Clone)]
pub struct Caller {
    /// The caller's token; none where there are no tokens.
    token: Option<Arc<Token>>,
}

impl Access {
    pub(super) fn new(tokens: &[Token]) -> Self {
        Access { tokens: tokens.iter().cloned().map(Arc::new).collect() }
    }

    /// True if everybody may do everything.
    pub(super) fn is_open(&self) -> bool {
        self.tokens.is_empty()
    }

    /// The caller that the headers name.
    pub(super) fn caller(&self, headers: &HeaderMap) -> Result<Caller, ApiError> {
        if self.is_open() {
            return Ok(Caller { token: None });
        }
        let refuse = |text: &str| Err(ApiError::new(StatusCode::UNAUTHORIZED, text));
        let mut values = headers.get_all(header::AUTHORIZATION).iter();
        let Some(value) = values.next() else {
            return refuse("a token is needed: Authorization: Bearer TOKEN");
        };
        let token = value
            .as_bytes()
            .split_at_checked(7)
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case(b"bearer "));
        let (Some((_, token)), None) = (token, values.next()) else {
            return refuse("the header Authorization must be one: Bearer TOKEN");
        };
        let presented: [u8; 32] = Sha256::digest(token.trim_ascii()).into();
        let mut found = u64::MAX;
        for (at, token) in (0_u64..).zip(self.tokens.iter()) {
            let same: Choice = token.sha256.ct_eq(&presented);
            found = u64::conditional_select(&found, &at, same);
        }
        match usize::try_from(found).ok().and_then(|at| self.tokens.get(at)) {
            Some(token) => Ok(Caller { token: Some(Arc::clone(token)) }),
            None => refuse("the token is not known"),
        }
    }
}

impl Caller {
    /// Checks that the caller may do something with a config.
    ///
    /// # Errors
    /// 403, without telling whether there is such a config.
    pub fn may(&self, scope: Scope, config: &ConfigId) -> Result<(), ApiError> {
        self.has(scope)?;
        if self.sees(config) {
            return Ok(());
        }
        Err(ApiError::new(StatusCode::FORBIDDEN, format!("the token is not for config {config}")))
    }

    /// Checks that the caller may do something with some config.
    ///
    /// # Errors
    /// 403.
    pub fn has(&self, scope: Scope) -> Result<(), ApiError> {
        let Some(token) = &self.token else { return Ok(()) };
        if token.scopes.contains(&scope) || token.scopes.contains(&Scope::Admin) {
            return Ok(());
        }
        let text = format!("the token has not the scope {}", scope.as_str());
        Err(ApiError::new(StatusCode::FORBIDDEN, text))
    }

    /// True if the token is for a config.
    pub fn sees(&self, config: &ConfigId) -> bool {
        self.configs().is_none_or(|configs| configs.contains(config))
    }

    /// Configs that the token is for; none is all.
    pub fn configs(&self) -> Option<&[ConfigId]> {
        self.token.as_ref()?.configs.as_deref()
    }

    /// A name for logs.
    pub fn name(&self) -> &str {
        self.token.as_ref().map_or("anybody", |token| &token.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn access() -> Access {
        let token = |text: &str, scopes: &[Scope], configs: Option<&[&str]>| Token {
            name: text.into(),
            sha256: Sha256::digest(text).into(),
            scopes: scopes.to_vec(),
            configs: configs.map(|ids| ids.iter().map(|id| id.parse().unwrap()).collect()),
        };
        Access::new(&[token("reader", &[Scope::Read], Some(&["a"])), token("boss", &[Scope::Admin], None)])
    }

    fn caller(values: &[&str]) -> Result<Caller, ApiError> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(header::AUTHORIZATION, value.parse().unwrap());
        }
        access().caller(&headers)
    }

    #[test]
    fn a_token_gives_what_it_says_and_no_more() {
        let (a, b) = ("a".parse().unwrap(), "b".parse().unwrap());
        let reader = caller(&["Bearer reader"]).unwrap();
        reader.may(Scope::Read, &a).unwrap();
        for (scope, config) in
            [(Scope::Write, &a), (Scope::Enqueue, &a), (Scope::Admin, &a), (Scope::Read, &b)]
        {
            assert_eq!(reader.may(scope, config).unwrap_err().status, StatusCode::FORBIDDEN);
        }
        let boss = caller(&["bearer boss"]).unwrap();
        for scope in [Scope::Read, Scope::Write, Scope::Enqueue, Scope::Admin] {
            boss.may(scope, &b).unwrap();
        }
    }

    #[test]
    fn what_is_no_token_is_nobody() {
        let cases: [&[&str]; 8] = [
            &[],
            &["reader"],
            &["Basic reader"],
            &["Bearer"],
            &["Bearer "],
            &["Bearer readers"],
            &["Bearer reader", "Bearer boss"],
            &["Bearer reader boss"],
        ];
        for values in cases {
            let error = caller(values).unwrap_err();
            assert_eq!(error.status, StatusCode::UNAUTHORIZED, "{values:?}");
            assert!(!error.error.contains("reader"), "{}", error.error);
        }
    }
}
