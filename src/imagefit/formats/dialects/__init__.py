"""One file per way of writing compatibility down. Dialects do not know each other."""
