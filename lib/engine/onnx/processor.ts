import { readFileSync } from 'node:fs';
import { cpus } from 'node:os';

/** What ONNX Runtime chooses its kernels by, the widest vectors first, by architecture. */
const features: Readonly<Record<string, readonly string[]>> = {
  x64: ['avx512_vnni', 'avx512f', 'avx2', 'avx', 'sse4_1'],
  arm64: ['sme2', 'sme', 'sve2', 'sve', 'i8mm', 'asimddp', 'asimd'],
};

/** What the system says of its processors. */
export type Told = {
  /** As Linux lists them in `/proc/cpuinfo`. */
  readonly processors: string;
  /** What the first is called. */
  readonly model: string;
  /** What Linux tells each process at its start (`/proc/self/auxv`). */
  readonly vector: Uint8Array;
};

let known: string | undefined;

/**
 * The kind of this processor, as far as ONNX Runtime's kernels, and so its bits, depend on it:
 * `x64-avx2`. Where the system does not tell its features, what the processor is called:
 * `arm64-apple-m4`; and `x64-emulated` where what it lists are those of another one.
 */
export function processorKind(): string {
  known ??= kindOf(process.arch, {
    processors: readIfAny('/proc/cpuinfo').toString('utf8'),
    model: cpus()[0]?.model ?? '',
    vector: readIfAny('/proc/self/auxv'),
  });
  return known;
}

/** The same, by what the system says. */
export function kindOf(architecture: string, { processors, model, vector }: Told): string {
  if (architecture === 'x64' && isEmulated(processors, vector)) return `${architecture}-emulated`;
  const told = featuresOf(architecture, processors);
  const name = model.toLowerCase().match(/[a-z0-9]+/g) ?? [];
  return [architecture, ...(told.length > 0 ? told : name)].join('-');
}

/** Features of x64, by their bits in what a process is told. */
const toldBits = { vme: 1, mtrr: 12, pat: 16, clflush: 19, acpi: 22, ss: 27, ht: 28 } as const;
const [ofHardware, bytesOfEntry] = [16n, 16];

/**
 * Whether what a process is told of its processor is not what is listed: an emulator of processors
 * (QEMU's of single programs) tells what it emulates, and lists what it runs on.
 */
function isEmulated(processors: string, vector: Uint8Array): boolean {
  const listed = flagsIn(processors);
  const entries = Buffer.from(vector.buffer, vector.byteOffset, vector.byteLength);
  for (let at = 0; at + bytesOfEntry <= entries.length; at += bytesOfEntry) {
    if (entries.readBigUInt64LE(at) !== ofHardware) continue;
    const told = entries.readBigUInt64LE(at + 8);
    return Object.entries(toldBits).some(
      ([flag, bit]) => listed.has(flag) !== (((told >> BigInt(bit)) & 1n) === 1n),
    );
  }
  return false;
}

/** The widest vectors among the flags that Linux lists: `flags`, or `Features` on arm64. */
export function featuresOf(architecture: string, processors: string): readonly string[] {
  const names = flagsIn(processors);
  const widest = features[architecture]?.find((each) => names.has(each));
  return widest === undefined ? [] : [widest];
}

function flagsIn(processors: string): ReadonlySet<string> {
  const [, flags = ''] = /^(?:flags|Features)\s*:(.*)$/m.exec(processors) ?? [];
  return new Set(flags.split(/\s+/));
}

function readIfAny(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch {
    return Buffer.alloc(0);
  }
}
