//! User name and password from the application, asked at every authentication.

use crate::conn::Interrupt;
use crate::conn::diagnosis::peer_text;
use crate::credentials::{AnyCredentialSource, Credentials};
use crate::error::{Error, ErrorKind};
use crate::survive::caught;
use crate::time::Deadline;

use super::ask::Source;
use super::failed;

/// As messages call it.
const NAME: &str = "credential source";

#[derive(Debug)]
pub(super) struct Asked {
    application: AnyCredentialSource,
    source: Source<Credentials>,
}

impl Asked {
    pub(super) fn new(application: AnyCredentialSource) -> Self {
        Self {
            application,
            source: Source::new(NAME),
        }
    }

    pub(super) fn credentials(
        &self,
        deadline: Deadline,
        interrupt: &Interrupt,
    ) -> Result<Credentials, Error> {
        let application = self.application.clone();
        self.source.ask(deadline, interrupt, move || {
            let asked = caught(|| {
                let given = application.credentials();
                given.map_err(|error| failed(NAME, &*error))
            });
            asked.unwrap_or_else(|said| {
                let text = format!("the {NAME} panicked: {}", peer_text(&said));
                Err(Error::new(ErrorKind::Application, text))
            })
        })
    }
}
