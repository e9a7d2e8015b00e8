import { describe, expect, it } from 'vitest';
import { featuresOf, processorKind } from '../../../lib/engine/onnx/processor.ts';

describe('the kind of a processor', () => {
  it.each([
    ['flags\t\t: fpu sse4_1 avx avx2 fma', ['avx2']],
    ['processor: 0\nflags : sse4_1 avx avx2 avx512f avx512_vnni\n', ['avx512_vnni']],
    ['Features : fp asimd', []],
    ['', []],
  ])('of %j is told by its widest vectors', (processors, expected) => {
    expect(featuresOf(processors)).toEqual(expected);
  });

  it('begins with the architecture', () => {
    expect(processorKind().startsWith(process.arch)).toBe(true);
  });
});
