"""Where compatibility metadata sits and how it is written. Bytes in, normal form out; nothing is fetched here."""
