"""Fetches small metadata from hostile registries, where containerd would look, within limits. Never layers."""
