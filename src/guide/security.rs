#![doc = include_str!("security.md")]
#![allow(unused_imports, reason = "the links of the documentation need them")]

use crate::check::CheckStage;
use crate::config::Config;
use crate::dial::Dial;
use crate::oauth::TokenSource;
use crate::producer::Producer;
