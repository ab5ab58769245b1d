"""What to keep and how to clean it: plain functions on text, without Beam and without files but a model's own."""
