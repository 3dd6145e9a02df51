#![doc = include_str!("security.md")]
#![allow(unused_imports, reason = "the links of the documentation need them")]

use crate::check::CheckStage;
use crate::config::Config;
use crate::credentials::CredentialSource;
use crate::dial::Dial;
use crate::error::ErrorKind;
use crate::metrics::MetricsSnapshot;
use crate::oauth::{Token, TokenSource, UnsecuredTokens};
use crate::producer::Producer;
