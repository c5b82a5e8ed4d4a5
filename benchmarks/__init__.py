"""Every figure of docs/benchmarks.md. Each module prints a table and writes JSON: `python -m benchmarks.NAME`."""
