import { readFileSync } from 'node:fs';

/** What ONNX Runtime chooses its kernels by, the widest vectors first. */
const features = ['avx512_vnni', 'avx512f', 'avx2', 'avx', 'sse4_1'] as const;

let known: string | undefined;

/**
 * The kind of this processor, as far as ONNX Runtime's kernels, and so its bits, depend on it:
 * `x64-avx2`. Where the system does not tell its features, the architecture alone.
 */
export function processorKind(): string {
  known ??= [process.arch, ...featuresOf(readProcessors())].join('-');
  return known;
}

/** The widest vectors among the flags that Linux lists. */
export function featuresOf(processors: string): readonly string[] {
  const [, flags = ''] = /^flags\s*:(.*)$/m.exec(processors) ?? [];
  const names = new Set(flags.split(/\s+/));
  const widest = features.find((each) => names.has(each));
  return widest === undefined ? [] : [widest];
}

function readProcessors(): string {
  try {
    return readFileSync('/proc/cpuinfo', 'utf8');
  } catch {
    return '';
  }
}
