"""The Beam layer: raw dumps to documents to token shards, and the command line."""
