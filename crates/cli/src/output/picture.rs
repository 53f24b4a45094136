//! Pictures as files: SVG as it is drawn, or PNG of it.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow};
use resvg::tiny_skia::{Pixmap, Transform};
use resvg::usvg::fontdb::{Database, Family, Query};
use resvg::usvg::{Options, Tree};

use crate::error::{Blame, CommandError};

/// Pixels of a PNG for each unit of the picture.
const SCALE: f32 = 2.0;
/// Letters that are taken where the machine names none of its own, in order of preference.
const FAMILIES: [&str; 7] =
    ["DejaVu Sans", "Noto Sans", "Liberation Sans", "Open Sans", "Helvetica", "Arial", "Verdana"];

/// Reads the name of a file of a picture.
pub(crate) fn picture_file(text: &str) -> Result<PathBuf, String> {
    let path = PathBuf::from(text);
    let is_known = ["svg", "png"].iter().any(|ending| has_ending(&path, ending));
    is_known.then_some(path).ok_or_else(|| "give a name that ends in .svg or .png".to_owned())
}

fn has_ending(path: &Path, ending: &str) -> bool {
    path.extension().is_some_and(|found| found.eq_ignore_ascii_case(ending))
}

/// Writes a picture, as the ending of its name says.
///
/// # Errors
///
/// The environment where the machine has no letters or the file cannot be written.
pub(crate) fn write(path: &Path, svg: &str) -> Result<(), CommandError> {
    let content = if has_ending(path, "png") {
        png(svg).with_context(|| format!("cannot draw {}", path.display())).or_environment()?
    } else {
        svg.as_bytes().to_vec()
    };
    std::fs::write(path, content)
        .with_context(|| format!("cannot write {}", path.display()))
        .or_environment()
}

/// Returns a picture in pixels, with the letters of this machine.
fn png(svg: &str) -> anyhow::Result<Vec<u8>> {
    let mut options = Options::default();
    let letters = options.fontdb_mut();
    letters.load_system_fonts();
    let family = family(letters)
        .context("this machine has no fonts: install some, such as fonts-dejavu, or draw SVG")?;
    letters.set_sans_serif_family(family);
    // It would warn of every box that is thinner than a unit of the picture, which nobody sees.
    let quiet = tracing::subscriber::NoSubscriber::default();
    let tree = tracing::subscriber::with_default(quiet, || Tree::from_str(svg, &options))?;
    let size = tree.size().to_int_size().scale_by(SCALE).context("the picture has no size")?;
    let mut pixels = Pixmap::new(size.width(), size.height()).context("the picture has no size")?;
    resvg::render(&tree, Transform::from_scale(SCALE, SCALE), &mut pixels.as_mut());
    pixels.encode_png().map_err(|error| anyhow!(error))
}

/// Returns the family of letters that stands for those without serifs.
fn family(letters: &Database) -> Option<String> {
    let has = |family: &str| {
        letters.query(&Query { families: &[Family::Name(family)], ..Query::default() }).is_some()
    };
    let any =
        || letters.faces().flat_map(|face| &face.families).map(|(name, _)| name.clone()).next();
    FAMILIES.into_iter().find(|family| has(family)).map(str::to_owned).or_else(any)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_has_two_pixels_for_each_unit_and_shows_what_it_says() {
        let svg = r##"<svg width="100" height="40" viewBox="0 0 100 40" xmlns="http://www.w3.org/2000/svg">
            <rect x="0" y="0" width="100" height="40" fill="#FFFFFF"/>
            <rect x="10" y="10" width="20" height="20" fill="#1A5FB4"/>
            </svg>"##;
        let Ok(png) = png(svg) else {
            println!("left out: PNG, because this machine has no fonts");
            return;
        };
        let pixels = Pixmap::decode_png(&png).unwrap();
        assert_eq!((pixels.width(), pixels.height()), (200, 80));
        let at = |x, y| pixels.pixel(x, y).unwrap().demultiply();
        assert_eq!((at(40, 40).red(), at(40, 40).blue()), (0x1a, 0xb4));
        assert_eq!(at(150, 40).red(), 0xff);
    }

    #[test]
    fn only_known_endings_are_pictures() {
        assert!(picture_file("week.svg").is_ok() && picture_file("week.PNG").is_ok());
        assert!(picture_file("week.pdf").is_err() && picture_file("svg").is_err());
    }
}
