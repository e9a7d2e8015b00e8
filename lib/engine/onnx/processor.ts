import { readFileSync } from 'node:fs';
import { cpus } from 'node:os';

/** What ONNX Runtime chooses its kernels by, the widest vectors first, by architecture. */
const features: Readonly<Record<string, readonly string[]>> = {
  x64: ['avx512_vnni', 'avx512f', 'avx2', 'avx', 'sse4_1'],
  arm64: ['sme2', 'sme', 'sve2', 'sve', 'i8mm', 'asimddp', 'asimd'],
};

let known: string | undefined;

/**
 * The kind of this processor, as far as ONNX Runtime's kernels, and so its bits, depend on it:
 * `x64-avx2`. Where the system does not tell its features, what the processor is called:
 * `arm64-apple-m4`.
 */
export function processorKind(): string {
  known ??= kindOf(process.arch, readProcessors(), cpus()[0]?.model ?? '');
  return known;
}

/** The same, by what the system says of its processors, and what it calls the first. */
export function kindOf(architecture: string, processors: string, model: string): string {
  const told = featuresOf(architecture, processors);
  const name = model.toLowerCase().match(/[a-z0-9]+/g) ?? [];
  return [architecture, ...(told.length > 0 ? told : name)].join('-');
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
