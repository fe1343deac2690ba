"""The report on runs, benchmarks and recordings: one page with curves, tables, heat maps and the worst minute."""
