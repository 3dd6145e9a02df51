//! Stands in for TLS in builds without it.

use std::io::IoSlice;
use std::net::TcpStream;

use crate::config::TlsConfig;
use crate::error::{Error, ErrorKind};
use crate::time::Deadline;

use super::buffer::Buffer;
use super::diagnosis::Broken;

/// Nobody has one.
#[derive(Debug)]
pub(super) enum Tls {}

/// Nobody has one.
#[derive(Debug)]
pub(super) enum Session {}

impl Tls {
    pub(super) fn new(_: &TlsConfig) -> Result<Self, Error> {
        Err(Error::new(
            ErrorKind::Config,
            "security.protocol asks for TLS, which needs the cargo feature \"tls-graviola\" or \
             \"tls-ring\" (or \"tls\" with a crypto provider of the application)",
        ))
    }

    pub(super) fn certificate(&self) -> Option<String> {
        match *self {}
    }

    pub(super) fn handshake(&self, _: &TcpStream, _: &str, _: Deadline) -> Result<Session, Broken> {
        match *self {}
    }
}

impl Session {
    pub(super) fn doubt(&self) -> Option<&str> {
        match *self {}
    }

    pub(super) fn encrypt(&self, _: &[IoSlice<'_>], _: &mut Vec<u8>) -> Result<usize, Broken> {
        match *self {}
    }

    pub(super) fn decrypt(&self, _: &[u8], _: &mut Buffer) -> Result<bool, Broken> {
        match *self {}
    }
}
