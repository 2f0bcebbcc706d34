//! What a terminal shows, drawn as an SVG picture: a cell for each character, so that a column that is out of
//! line, cut off or in a wrong colour can be seen.

use std::fmt::Write as _;

/// Size of a cell and the margin around all of them, in pixels.
const CELL: (usize, usize) = (9, 18);
const MARGIN: usize = 12;
const BACKGROUND: &str = "#1d1f21";
const PLAIN: &str = "#d8dad7";

/// The screen of so many columns, with these bytes on it. Knows what countersignctl uses: lines, colours by
/// `ESC [ ... m`, and the half blocks of a QR code.
///
/// # Panics
/// At a line that is longer than the screen, and at any other escape sequence.
pub fn svg(title: &str, shown: &str, columns: u16) -> String {
    let columns = usize::from(columns);
    let lines: Vec<&str> = shown.lines().collect();
    let (width, height) = (columns * CELL.0 + 2 * MARGIN, lines.len() * CELL.1 + 2 * MARGIN);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
         viewBox=\"0 0 {width} {height}\" font-family=\"DejaVu Sans Mono, Liberation Mono, monospace\" \
         font-size=\"14\" fill=\"{PLAIN}\">\n<title>{}</title>\n<rect width=\"100%\" height=\"100%\" \
         fill=\"{BACKGROUND}\"/>\n",
        escaped(title)
    );
    let mut colour = PLAIN;
    for (row, line) in lines.iter().enumerate() {
        let mut column = 0;
        for (number, part) in line.split('\u{1b}').enumerate() {
            let mut text = part;
            if number > 0 {
                let (code, rest) = part.split_once('m').expect("a colour");
                (colour, text) = (of_code(code), rest);
            }
            draw(&mut svg, text, colour, row, column);
            column += text.chars().count();
        }
        assert!(column <= columns, "{column} of {columns} columns: {line}");
    }
    svg.push_str("</svg>\n");
    svg
}

fn of_code(code: &str) -> &'static str {
    match code {
        "[0" => PLAIN,
        "[1;31" => "#ff5f56",
        "[33" => "#f0c674",
        other => panic!("a terminal is sent {other:?}"),
    }
}

/// Words as text of just their width, whatever the font; half blocks as what they cover.
fn draw(svg: &mut String, text: &str, colour: &str, row: usize, column: usize) {
    let top = MARGIN + row * CELL.1;
    let mut blocks = String::new();
    let mut words: Option<(usize, String)> = None;
    for (at, character) in text.chars().chain([' ', ' ']).enumerate() {
        let left = MARGIN + (column + at) * CELL.0;
        let block = match character {
            '█' => Some((0, CELL.1)),
            '▀' => Some((0, CELL.1 / 2)),
            '▄' => Some((CELL.1 / 2, CELL.1 / 2)),
            _ => None,
        };
        if let Some((down, high)) = block {
            let _ = write!(blocks, "M{left} {}h{}v{high}h-{}z", top + down, CELL.0, CELL.0);
        }
        // One space belongs to the words around it.
        let over =
            block.is_some() || (character == ' ' && words.as_ref().is_none_or(|(_, w)| w.ends_with(' ')));
        if !over {
            words.get_or_insert((left, String::new())).1.push(character);
        } else if let Some((left, words)) = words.take() {
            let words = words.trim_end();
            let _ = writeln!(
                svg,
                "<text x=\"{left}\" y=\"{}\" fill=\"{colour}\" textLength=\"{}\">{}</text>",
                top + CELL.1 - 5,
                words.chars().count() * CELL.0,
                escaped(words)
            );
        }
    }
    if !blocks.is_empty() {
        let _ = writeln!(svg, "<path fill=\"{colour}\" d=\"{blocks}\"/>");
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
