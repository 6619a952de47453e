"""The heatmap over the photo."""
