"""What is shown, as values: words, colours, lines. No torch, no widgets."""
