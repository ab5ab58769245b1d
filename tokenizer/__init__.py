"""SentencePiece training and encoding, and the token-shard format: one writer, one reader."""
