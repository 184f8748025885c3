"""Who vouches for metadata that came from outside the index: keys, signatures, and where those are looked for."""
