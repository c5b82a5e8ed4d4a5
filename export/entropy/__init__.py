"""Entropy tables, learned from token files: `codec-export tables`. Needs numpy only."""
