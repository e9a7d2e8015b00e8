"""Writes the file of Polars that arrow.test.ts reads: python3 test/datasets/arrow/write-polars.py (polars 1.44)."""
from pathlib import Path

import polars as pl

rows = range(50)
table = pl.DataFrame({
    'id': list(rows),
    'kind': pl.Series([f'kind {i % 4}' for i in rows], dtype=pl.Categorical),
    'note': [None if i % 3 == 0 else f'Größe {i}' for i in rows],
    'list': [[float(i), i + 0.5] for i in rows],
})
table.write_ipc(Path(__file__).parent / 'polars.arrow', compression='zstd', record_batch_size=20)
