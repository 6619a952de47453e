"""The gallery: many photos side by side, sorted, filtered, brushed and opened."""

from combicam_widgets.widgets.gallery.component import PhotoGallery

__all__ = ["PhotoGallery"]
