import { describe, expect, it } from 'vitest';
import { featuresOf, kindOf, processorKind } from '../../../lib/engine/onnx/processor.ts';

describe('the kind of a processor', () => {
  it.each([
    ['x64', 'flags\t\t: fpu sse4_1 avx avx2 fma', ['avx2']],
    ['x64', 'processor: 0\nflags : sse4_1 avx avx2 avx512f avx512_vnni\n', ['avx512_vnni']],
    ['arm64', 'Features\t: fp asimd evtstrm aes crc32 asimdrdm asimddp ssbs', ['asimddp']],
    ['arm64', 'Features : fp asimd asimddp sve i8mm bf16', ['sve']],
    // An emulator may show the flags of the machine below it.
    ['arm64', 'flags : sse4_1 avx avx2', []],
    ['riscv64', 'isa : rv64imafdc', []],
    ['x64', '', []],
  ])('%s of %j is told by its widest vectors', (architecture, processors, expected) => {
    expect(featuresOf(architecture, processors)).toEqual(expected);
  });

  it('begins with the architecture', () => {
    expect(processorKind().startsWith(process.arch)).toBe(true);
  });

  it('is what the processor is called, where its features are not told', () => {
    const vector = new Uint8Array();
    const model = 'Apple M4 Pro';
    expect(kindOf('arm64', { processors: '', model, vector })).toBe('arm64-apple-m4-pro');
    const processors = 'flags : sse2 avx2 fma';
    expect(kindOf('x64', { processors, model: 'Intel(R)', vector })).toBe('x64-avx2');
    expect(kindOf('x64', { processors: '', model: '', vector })).toBe('x64');
  });

  it('is emulated where a process is told of another processor than is listed', () => {
    // Of this kind of machine, and what QEMU's Nehalem tells on it.
    const processors = 'flags : fpu vme mtrr pat clflush sse2 ss ht avx2';
    const told = (value: bigint) => {
      const vector = Buffer.alloc(32);
      vector.writeBigUInt64LE(6n, 0);
      vector.writeBigUInt64LE(16n, 16);
      vector.writeBigUInt64LE(value, 24);
      return kindOf('x64', { processors, model: '', vector });
    };
    expect(told(0x1f8bfbffn)).toBe('x64-avx2');
    expect(told(0x78bfbfdn)).toBe('x64-emulated');
  });
});
