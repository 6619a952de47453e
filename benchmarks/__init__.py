"""What `make bench` runs: ratios side by side, measured in one run."""
