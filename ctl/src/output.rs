//! Standard output, where every write can fail and a closed pipe is no error.

use std::io::{BufWriter, ErrorKind, Stdout, Write};

use crate::errors::Failure;
use crate::terminal::safe;
use crate::text;

/// Lines on standard output.
pub(crate) struct Output {
    out: BufWriter<Stdout>,
}

impl Output {
    pub(crate) fn stdout() -> Self {
        Self { out: BufWriter::new(std::io::stdout()) }
    }

    /// One line; the caller has made it safe.
    pub(crate) fn line(&mut self, line: &str) -> Result<(), Failure> {
        let wrote = self.out.write_all(line.as_bytes()).and_then(|()| self.out.write_all(b"\n"));
        wrote.map_err(|error| broken(&error))
    }

    /// Text as it is, at once.
    pub(crate) fn raw(&mut self, text: &str) -> Result<(), Failure> {
        self.out.write_all(text.as_bytes()).map_err(|error| broken(&error))?;
        self.flush()
    }

    pub(crate) fn flush(&mut self) -> Result<(), Failure> {
        self.out.flush().map_err(|error| broken(&error))
    }
}

/// Writes a secret past every buffer that nobody wipes.
pub(crate) fn write_secret(bytes: &[u8]) -> Result<(), Failure> {
    use std::os::fd::AsFd;
    let file = std::io::stdout().as_fd().try_clone_to_owned().map(std::fs::File::from);
    let wrote = file.and_then(|mut file| file.write_all(bytes));
    wrote.map_err(|error| broken(&error))
}

fn broken(error: &std::io::Error) -> Failure {
    // `countersignctl log | head`: the reader has seen enough.
    if error.kind() == ErrorKind::BrokenPipe {
        return Failure::failed(String::new());
    }
    Failure::failed(text::cannot_write(&safe(&error.to_string())))
}
