"""The architecture diagram: stages as columns, one tile per layer, everything clickable."""
