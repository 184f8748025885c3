"""Judging, ranking and deciding. Plain values in, plain values out."""
