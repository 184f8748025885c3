"""The version, told once; the package's metadata takes it from here, and to ask that for it costs 2 MB."""

VERSION = "0.1.0"
