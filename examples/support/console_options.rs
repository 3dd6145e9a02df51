//! The command line of the console producer.

use std::path::PathBuf;

use lexopt::prelude::*;

use crate::lines::Format;
use crate::support::{self, Settings};

pub(crate) const USAGE: &str = "Sends every line of the input as a record.

usage: console_producer --bootstrap-server HOST:PORT[,...] --topic TOPIC [OPTION...]

  --file FILE                 read this file instead of the standard input
  --key-separator TEXT        a line is a key, this separator and a value
  --headers                   a line begins with headers: name:value,name:value and a tab
  --headers-delimiter TEXT    what ends the headers, instead of a tab
  --headers-separator TEXT    what is between two headers, instead of a comma
  --header-key-separator TEXT what is between a header's name and its value, instead of a colon
  --null-marker TEXT          a key, value or header value that is this text is null
  --ignore-error              send lines that lack a separator without key, or headers
  --reader-property N=V       the above by Kafka's names: parse.key=true, key.separator=:, ...
  --partition NUMBER          send to this partition, whatever the key
  --producer-property N=V     a setting of the producer, such as acks=all (also --command-property)
  --producer.config FILE      a properties file with settings (also --command-config)
  --max-line-bytes NUMBER     skip longer lines; 1048576, or max.request.size if that is set here

As with Kafka's tool, enable.idempotence is true unless it is set: each line is written once and in
order. acks=1, acks=0 and retries=0 need --producer-property enable.idempotence=false beside them.

A line that cannot be sent is reported with its number, and the others are sent all the same. The
end of the input, or Ctrl-C, sends what was read and ends; a second Ctrl-C ends at once.
Exit code: 0 if all lines were delivered, 1 if not, 2 for a mistake in the command line.";

/// The default of `max.request.size`: longer lines would be refused by the producer.
const LINE_BYTES_MAX: usize = 1 << 20;

/// What the command line says.
#[derive(Default)]
pub(crate) struct Options {
    pub(crate) settings: Settings,
    pub(crate) topic: String,
    pub(crate) file: Option<PathBuf>,
    pub(crate) format: Format,
    pub(crate) partition: Option<i32>,
    pub(crate) line_bytes_max: usize,
}

impl Options {
    /// `None` if help was asked for.
    pub(crate) fn parse() -> Result<Option<Self>, lexopt::Error> {
        let mut parser = lexopt::Parser::from_env();
        let (mut options, mut line_bytes_max) = (Self::default(), None);
        while let Some(argument) = parser.next()? {
            let Long(name) = argument else {
                return Err(argument.unexpected());
            };
            let name = name.to_owned();
            let Options {
                settings, format, ..
            } = &mut options;
            match name.as_str() {
                "help" => return Ok(None),
                "bootstrap-server" => settings.bootstrap = Some(parser.value()?.string()?),
                "topic" => options.topic = parser.value()?.string()?,
                "file" => options.file = Some(parser.value()?.into()),
                "partition" => options.partition = Some(support::number(parser.value()?)?),
                "max-line-bytes" => line_bytes_max = Some(support::number(parser.value()?)?),
                "producer.config" | "command-config" => settings.files.push(parser.value()?.into()),
                "producer-property" | "command-property" => {
                    settings.add_property(parser.value()?)?
                }
                "reader-property" | "property" => {
                    let text = parser.value()?.string()?;
                    let (name, value) = text.split_once('=').ok_or("a property is NAME=VALUE")?;
                    format.set(name, value)?;
                }
                "headers" => format.has_headers = true,
                "ignore-error" => format.ignore_error = true,
                "null-marker" => format.null_marker = Some(parser.value()?.string()?),
                "key-separator" => {
                    (format.has_key, format.key_separator) = (true, parser.value()?.string()?);
                }
                "headers-delimiter" => format.headers_delimiter = parser.value()?.string()?,
                "headers-separator" => format.headers_separator = parser.value()?.string()?,
                "header-key-separator" => format.header_key_separator = parser.value()?.string()?,
                _ => return Err(format!("unknown option --{name}").into()),
            }
        }
        if options.topic.is_empty() {
            return Err("--topic is missing".into());
        }
        options.format.check()?;
        let request_bytes_max = options.settings.property("max.request.size");
        options.line_bytes_max = match (line_bytes_max, request_bytes_max) {
            (Some(bytes), _) => bytes,
            (None, Some(text)) => support::number(text.into())?,
            (None, None) => LINE_BYTES_MAX,
        };
        Ok(Some(options))
    }
}
