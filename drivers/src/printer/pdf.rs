//! PDF pages as pictures. The one place that knows the renderer.

use std::{panic::catch_unwind, sync::Arc};

use hayro::{
    PixmapSettings, RenderCache, RenderSettings, hayro_interpret::InterpreterSettings, hayro_syntax::Pdf, render,
};
use image::{GrayImage, Luma};

use super::{
    bitmap::{self, Bitmap, LONGEST},
    error::EncodeError,
};

const MOST_PAGES: usize = 50;

/// Each page `width` dots wide, dithered.
pub(super) fn pages(data: &[u8], width: u32) -> Result<Vec<Bitmap>, EncodeError> {
    let data = data.to_vec();
    // The renderer is young: what brings it down costs its own document.
    let pages = catch_unwind(move || draw(data, width));
    let pages = pages.map_err(|_| EncodeError::Pdf("something in it cannot be drawn".to_owned()))??;
    pages
        .into_iter()
        .map(|page| {
            let (width, height) = page.dimensions();
            bitmap::from_gray(page, width, height)
        })
        .collect()
}

fn draw(data: Vec<u8>, width: u32) -> Result<Vec<GrayImage>, EncodeError> {
    let pdf = Pdf::new(Arc::new(data)).map_err(|error| EncodeError::Pdf(format!("{error:?}")))?;
    let pages = pdf.pages();
    if pages.len() > MOST_PAGES {
        return Err(EncodeError::TooManyPages { pages: pages.len() });
    }
    if pages.is_empty() {
        return Err(EncodeError::Empty);
    }
    let cache = RenderCache::new();
    let (interpreter, settings) = (InterpreterSettings::default(), RenderSettings::default());
    let mut drawn = Vec::with_capacity(pages.len());
    for page in pages.iter() {
        let (page_width, page_height) = page.render_dimensions();
        let scale = width as f32 / page_width.max(1.0);
        if page_height * scale > LONGEST as f32 {
            return Err(EncodeError::ImageTooLong);
        }
        // A hair more, since the renderer rounds down and a dot would be missing.
        let scale = scale * (1.0 + 1e-5);
        let white = hayro::vello_cpu::color::palette::css::WHITE;
        let size = PixmapSettings { x_scale: scale, y_scale: scale, bg_color: white };
        let pixels = render(page, &cache, &interpreter, &settings, &size);
        let (columns, rows) = (u32::from(pixels.width()), u32::from(pixels.height()));
        let bytes = pixels.data_as_u8_slice();
        drawn.push(GrayImage::from_fn(columns, rows, |x, y| {
            let at = 4 * (y * columns + x) as usize;
            let [r, g, b] = [0, 1, 2].map(|c| bytes.get(at + c).map_or(255, |v| u32::from(*v)));
            // ITU-R BT.709, in thousandths.
            Luma([((213 * r + 715 * g + 72 * b) / 1000) as u8])
        }));
    }
    Ok(drawn)
}
