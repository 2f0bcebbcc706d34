//! Lines and columns, as an editor counts them.

/// A byte of one of the files that are read together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Spot {
    /// Which file, in the order they are read.
    pub(crate) file: usize,
    /// Bytes from its beginning.
    pub(crate) offset: usize,
}

/// A place in a text. Line and column count from 1; a column is a character, a tab is one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) line: usize,
    pub(crate) column: usize,
}

impl Place {
    /// The place of a byte offset. Bytes that are no UTF-8 before it on its line count one each.
    pub(crate) fn of(text: &[u8], offset: usize) -> Self {
        let before = &text[..offset.min(text.len())];
        let line_start = before.iter().rposition(|b| *b == b'\n').map_or(0, |at| at + 1);
        let line = before[..line_start].iter().filter(|b| **b == b'\n').count() + 1;
        let column = String::from_utf8_lossy(&before[line_start..]).chars().count() + 1;
        Self { line, column }
    }
}

/// The places of many offsets of one text, which must not go down: each part is looked at once.
pub(crate) struct Places<'t> {
    text: &'t str,
    offset: usize,
    last: Place,
}

impl<'t> Places<'t> {
    pub(crate) fn of(text: &'t str) -> Self {
        Self { text, offset: 0, last: Place { line: 1, column: 1 } }
    }

    pub(crate) fn at(&mut self, offset: usize) -> Place {
        let offset = offset.min(self.text.len());
        let between = self.text.get(self.offset..offset).unwrap_or_default();
        for c in between.chars() {
            if c == '\n' {
                self.last = Place { line: self.last.line + 1, column: 1 };
            } else {
                self.last.column += 1;
            }
        }
        self.offset = offset;
        self.last
    }
}

#[cfg(test)]
mod tests {
    use super::{Place, Places};

    fn place(text: &[u8], offset: usize) -> (usize, usize) {
        let place = Place::of(text, offset);
        (place.line, place.column)
    }

    #[test]
    fn many_places_are_those_of_each() {
        let text = "é = 1\r\n\nab\ncd";
        let mut places = Places::of(text);
        for (offset, _) in text.char_indices() {
            assert_eq!(places.at(offset), Place::of(text.as_bytes(), offset), "{offset}");
            assert_eq!(places.at(offset), Place::of(text.as_bytes(), offset), "{offset} again");
        }
    }

    #[test]
    fn counts_characters_and_lines_from_one() {
        assert_eq!(place(b"", 0), (1, 1));
        assert_eq!(place(b"ab\ncd", 1), (1, 2));
        assert_eq!(place(b"ab\ncd", 3), (2, 1));
        assert_eq!(place("é = 1".as_bytes(), 3), (1, 3));
        assert_eq!(place(b"a\r\nb", 3), (2, 1));
        assert_eq!(place(b"ab", 99), (1, 3));
        assert_eq!(place(b"a\n\xffb", 3), (2, 2));
    }
}
