"""Writes the files that arrow.test.ts reads: python3 test/datasets/arrow/write.py (pyarrow 25)."""
from datetime import date, datetime, timezone
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
from pyarrow import feather, ipc

here = Path(__file__).parent


def table(first, count):
    rows = range(first, first + count)
    return pa.table({
        'id': pa.array([2**54 + i for i in rows], pa.int64()),
        'small': pa.array([i % 5 for i in rows], pa.uint8()),
        'half': pa.array([i / 4 for i in rows], pa.float64()).cast(pa.float16()),
        'price': pa.array([Decimal(i) / 100 for i in rows], pa.decimal128(9, 2)),
        'ok': pa.array([i % 2 == 0 for i in rows]),
        'kind': pa.array([None if i % 3 == 0 else f'kind {i % 4}' for i in rows]).dictionary_encode(),
        'note': pa.array([f'Größe {i}' for i in rows], pa.large_string()),
        'raw': pa.array([b'ab' if i % 2 else b'' for i in rows], pa.binary()),
        'at': pa.array([datetime(2026, 1, 1, i % 24, tzinfo=timezone.utc) for i in rows], pa.timestamp('us', 'UTC')),
        'day': pa.array([date(2026, 1, 1 + i % 28) for i in rows], pa.date32()),
        'list': pa.array([[i, i + 0.5] for i in rows], pa.list_(pa.float32())),
        'nothing': pa.nulls(count),
    })


whole = table(0, 60)
feather.write_feather(whole, here / 'pyarrow-lz4.feather', compression='lz4', chunksize=25)
feather.write_feather(whole, here / 'pyarrow-zstd.feather', compression='zstd')
with ipc.new_stream(here / 'pyarrow.arrows', whole.schema) as stream:
    for batch in whole.to_batches(max_chunksize=25):
        stream.write_batch(batch)
nulls = pa.table({'a': pa.nulls(3), 'b': pa.nulls(3)})
feather.write_feather(nulls, here / 'pyarrow-nulls.feather', compression='uncompressed')
zeros = pa.table({name: pa.array([0] * 14_000_000, pa.int64()) for name in 'abcdefgh'})
with ipc.new_file(here / 'pyarrow-bomb.arrow', zeros.schema, options=ipc.IpcWriteOptions(compression='zstd')) as file:
    file.write_table(zeros, max_chunksize=14_000_000)
