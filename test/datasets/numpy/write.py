"""Writes the files that numpy.test.ts reads: python3 test/datasets/numpy/write.py (NumPy 1.24)."""
from pathlib import Path

import numpy as np

here = Path(__file__).parent
i = np.arange(5)
np.save(here / 'plain.npy', (np.arange(10, dtype='<f4') / 4).reshape(5, 2))
np.save(here / 'column.npy', np.asfortranarray(np.arange(6, dtype='<f8').reshape(3, 2)))
np.save(here / 'objects.npy', np.array([{'a': 1}], dtype=object), allow_pickle=True)
table = np.zeros(5, dtype=[('x', '>f8'), ('name', '<U6'), ('n', '<i8'), ('ok', '?'), ('at', '<M8[s]')])
table['x'] = i / 8
table['name'] = ['ä', 'b𝄞', '', 'long to', 'z']
table['n'] = i + 2**60
table['ok'] = i % 2 == 0
table['at'] = np.array(['2026-01-01', '2026-01-02T03:04:05', 'NaT', '1969-12-31', '2030-01-01'], dtype='M8[s]')
np.save(here / 'table.npy', table)
arrays = {
    'image': (np.arange(5 * 2 * 3) % 251).astype('u1').reshape(5, 2, 3),
    'half': (i / 2).astype('f2'),
    'kind': np.array([b'red', b'blue', b'', b'red', b'x']),
    'label': i.astype('i4'),
}
np.savez(here / 'arrays.npz', **arrays)
np.savez_compressed(here / 'packed.npz', **arrays)
np.savez(here / 'uneven.npz', a=np.zeros(3), b=np.zeros(4))
aligned = np.zeros(3, dtype=np.dtype([('ünit', '<i2'), ('x', '<f8'), ('n', '<i4')], align=True))
aligned['ünit'] = [1, 2, 3]
aligned['x'] = [0.5, 1.5, 2.5]
aligned['n'] = [7, 8, 9]
np.save(here / 'aligned.npy', aligned)
np.savez(here / 'fortran.npz', a=np.zeros(3), b=np.asfortranarray(np.zeros((3, 2))))
