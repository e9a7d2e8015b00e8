import { readFileSync } from 'node:fs';

/** What ONNX Runtime chooses its kernels by, the widest vectors first, by architecture. */
const features: Readonly<Record<string, readonly string[]>> = {
  x64: ['avx512_vnni', 'avx512f', 'avx2', 'avx', 'sse4_1'],
  arm64: ['sme2', 'sme', 'sve2', 'sve', 'i8mm', 'asimddp', 'asimd'],
};

let known: string | undefined;

/**
 * The kind of this processor, as far as ONNX Runtime's kernels, and so its bits, depend on it:
 * `x64-avx2`. Where the system does not tell its features, the architecture alone.
 */
export function processorKind(): string {
  known ??= [process.arch, ...featuresOf(process.arch, readProcessors())].join('-');
  return known;
}

/** The widest vectors among the flags that Linux lists: `flags`, or `Features` on arm64. */
export function featuresOf(architecture: string, processors: string): readonly string[] {
  const [, flags = ''] = /^(?:flags|Features)\s*:(.*)$/m.exec(processors) ?? [];
  const names = new Set(flags.split(/\s+/));
  const widest = features[architecture]?.find((each) => names.has(each));
  return widest === undefined ? [] : [widest];
}

function readProcessors(): string {
  try {
    return readFileSync('/proc/cpuinfo', 'utf8');
  } catch {
    return '';
  }
}
