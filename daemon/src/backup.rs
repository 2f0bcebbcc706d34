//! What a backup file looks like: a few lines that say what it is, the database, and a code by which the
//! sealing key vouches for both.
//!
//! Everything secret in the database is sealed, so the file is of no use without the key, which is not
//! in it.

use crate::error::Error;
use crate::random;
use crate::seal::{Fingerprint, INSTANCE_BYTES, Sealer};
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::Write;
use std::os::unix::fs::{FileExt, MetadataExt};

/// The first line.
const FIRST_LINE: &str = "countersign-backup 1";
/// Bytes of the longest header there is.
const LONGEST_HEADER: usize = 512;
/// Bytes that are read or written at once.
pub const PIECE: usize = 256 * 1024;
/// Before the code at the end.
const BEFORE_MAC: &str = "\nmac ";
/// Bytes of that and the code.
const END: u64 = (BEFORE_MAC.len() + 64 + 1) as u64;

/// What a backup says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// The installation it was made of.
    pub instance: [u8; INSTANCE_BYTES],
    /// The key it is sealed under.
    pub sealed_by: Fingerprint,
    /// The version of the database's schema.
    pub schema: i64,
    /// How far the database had come.
    pub generation: i64,
    /// When it was made, in seconds since 1970.
    pub taken: i64,
    /// Bytes of the database.
    pub length: u64,
}

impl Header {
    fn text(&self) -> String {
        format!(
            "{FIRST_LINE}\ninstance {}\nsealed-by {}\nschema {}\ngeneration {}\ntaken {}\nlength {}\n\n",
            random::hex(&self.instance),
            random::hex(&self.sealed_by),
            self.schema,
            self.generation,
            self.taken,
            self.length
        )
    }

    /// Reads it, and tells how long it is.
    fn parse(bytes: &[u8]) -> Option<(Self, u64)> {
        let end = bytes.windows(2).position(|two| two == b"\n\n")?;
        let text = std::str::from_utf8(bytes.get(..end)?).ok()?;
        let mut lines = text.split('\n');
        if lines.next()? != FIRST_LINE {
            return None;
        }
        let mut value = |name: &str| lines.next()?.strip_prefix(name)?.strip_prefix(' ');
        let header = Self {
            instance: random::unhex(value("instance")?)?,
            sealed_by: random::unhex(value("sealed-by")?)?,
            schema: value("schema")?.parse().ok()?,
            generation: value("generation")?.parse().ok()?,
            taken: value("taken")?.parse().ok()?,
            length: value("length")?.parse().ok()?,
        };
        // Only what we would write ourselves: no plus signs, no leading zeros, nothing after it.
        let own = header.text();
        (own.as_bytes() == bytes.get(..end + 2)?).then_some((header, own.len() as u64))
    }
}

/// Writes a backup piece by piece.
pub struct Writer {
    file: File,
    digest: Sha256,
}

impl Writer {
    /// Begins one in an empty regular file.
    ///
    /// # Errors
    /// When it is another kind of file, or cannot be written.
    pub fn begin(file: File, header: &Header) -> Result<Self, Error> {
        let meta = file.metadata()?;
        if !meta.is_file() || meta.len() != 0 {
            return Err(Error::InvalidArgument("a backup is written into a new, empty file".into()));
        }
        let mut writer = Self { file, digest: Sha256::new() };
        writer.push(header.text().as_bytes())?;
        Ok(writer)
    }

    /// Adds a piece.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn push(&mut self, piece: &[u8]) -> Result<(), Error> {
        self.file
            .write_all(piece)
            .map_err(|e| Error::unavailable(format!("the file cannot be written: {e}")))?;
        self.digest.update(piece);
        Ok(())
    }

    /// Vouches for all of it and makes it durable.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn end(self, key: &Sealer) -> Result<(), Error> {
        let Self { mut file, digest } = self;
        let mac = key.authenticate("backup", &digest.finalize().into());
        let end = format!("{BEFORE_MAC}{}\n", random::hex(&mac));
        file.write_all(end.as_bytes())
            .and_then(|()| file.sync_all())
            .map_err(|e| Error::unavailable(format!("the file cannot be written: {e}")))
    }
}

/// A backup that somebody handed in, with a header that can be read. Nothing of it is believed yet.
pub struct Reader {
    file: File,
    /// What it says of itself.
    pub header: Header,
    begins: u64,
}

impl Reader {
    /// Reads the header.
    ///
    /// # Errors
    /// `InvalidArgument` for what is no backup, or is cut off, or goes on where it should end.
    pub fn open(file: File) -> Result<Self, Error> {
        let refuse = |why: &str| Err(Error::InvalidArgument(format!("{why}; nothing was changed")));
        let meta = file.metadata()?;
        if !meta.is_file() {
            return refuse("a backup is a regular file, and this is none");
        }
        let mut start = vec![0; LONGEST_HEADER.min(usize::try_from(meta.size()).unwrap_or(LONGEST_HEADER))];
        read_exact(&file, &mut start, 0)?;
        let Some((header, begins)) = Header::parse(&start) else {
            return refuse("this is not a backup made by `countersignctl backup`");
        };
        if header.length.checked_add(begins + END) != Some(meta.size()) {
            return refuse("the backup is not whole: it has another length than it says");
        }
        Ok(Self { file, header, begins })
    }

    /// Whether this key made it.
    #[must_use]
    pub fn is_by(&self, key: &Sealer) -> bool {
        key.instance() == self.header.instance && key.fingerprint() == self.header.sealed_by
    }

    /// Reads all of it, copies the database where a file is given, and compares with what the key
    /// vouched for. Takes as long as the disk does.
    ///
    /// # Errors
    /// `InvalidArgument` for a backup that was damaged or changed; others when it cannot be read or the
    /// copy not be written.
    pub fn verify(&self, key: &Sealer, mut copy: Option<&File>) -> Result<(), Error> {
        let mut digest = Sha256::new();
        digest.update(self.header.text().as_bytes());
        let mut piece = vec![0; PIECE];
        let mut at = 0;
        while at < self.header.length {
            let left = usize::try_from(self.header.length - at).unwrap_or(PIECE).min(PIECE);
            read_exact(&self.file, &mut piece[..left], self.begins + at)?;
            digest.update(&piece[..left]);
            if let Some(copy) = &mut copy {
                copy.write_all(&piece[..left])?;
            }
            at += left as u64;
        }
        let mut end = vec![0; usize::try_from(END).unwrap_or_default()];
        read_exact(&self.file, &mut end, self.begins + self.header.length)?;
        let digest: [u8; 32] = digest.finalize().into();
        let right = format!("{BEFORE_MAC}{}\n", random::hex(&key.authenticate("backup", &digest)));
        if bool::from(subtle::ConstantTimeEq::ct_eq(right.as_bytes(), end.as_slice())) {
            Ok(())
        } else {
            Err(Error::InvalidArgument(
                "the backup is damaged or was changed: its key does not vouch for it; nothing was changed"
                    .into(),
            ))
        }
    }
}

fn read_exact(file: &File, buffer: &mut [u8], offset: u64) -> Result<(), Error> {
    file.read_exact_at(buffer, offset)
        .map_err(|e| Error::InvalidArgument(format!("the backup cannot be read: {e}; nothing was changed")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header() -> Header {
        Header {
            instance: [1; 16],
            sealed_by: [2; 32],
            schema: 1,
            generation: 42,
            taken: 1_790_000_000,
            length: 9,
        }
    }

    #[test]
    fn dat_02_a_header_is_read_as_it_is_written_or_not_at_all() {
        let text = header().text();
        assert_eq!(Header::parse(text.as_bytes()), Some((header(), text.len() as u64)));
        for cut in 0..text.len() {
            assert_eq!(Header::parse(&text.as_bytes()[..cut]), None, "cut at {cut}");
        }
        for (from, to) in
            [("generation 42", "generation +42"), ("schema 1", "schema 01"), ("backup 1", "backup 2")]
        {
            assert_eq!(Header::parse(text.replace(from, to).as_bytes()), None, "{to}");
        }
        assert!(text.len() < LONGEST_HEADER / 2, "room for larger numbers");
    }
}
