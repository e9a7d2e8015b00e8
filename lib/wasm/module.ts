import type { FunctionBuilder } from './assembler.ts';
import { signed, typeCodes, unsigned } from './instructions.ts';
import type { LocalType } from './integer-code.ts';

/** A module: functions by their index, those among them that are exported, and its memory. */
export type ModuleParts = {
  readonly functions: readonly FunctionBuilder[];
  readonly exports: Readonly<Record<string, number>>;
  /** Memory at first, which it exports as `memory`, and what is in it. */
  readonly memoryBytes: number;
  readonly segments: readonly { readonly address: number; readonly bytes: Uint8Array }[];
};

/** Bytes of a page of memory. */
const pageBytes = 65_536;

/**
 * A module in the binary format: https://webassembly.github.io/spec/core/binary/. Modules are made
 * while a model is compiled, where a full compiler would take longer than all the rest.
 */
export function encodeModule({
  functions,
  exports,
  memoryBytes,
  segments,
}: ModuleParts): Uint8Array {
  const counts = [...new Set(functions.map(({ parameters }) => parameters))];
  const types = counts.map((count) => [
    0x60,
    ...unsigned(count),
    ...Array.from({ length: count }, () => typeCodes.i32),
    0,
  ]);
  const text = (value: string) => {
    const bytes = [...Buffer.from(value, 'utf8')];
    return [...unsigned(bytes.length), ...bytes];
  };
  const exported = [
    [...text('memory'), 0x02, 0x00],
    ...Object.entries(exports).map(([name, index]) => [...text(name), 0x00, ...unsigned(index)]),
  ];
  const sections: readonly [id: number, entries: readonly (readonly number[])[]][] = [
    [1, types],
    [3, functions.map(({ parameters }) => unsigned(counts.indexOf(parameters)))],
    [5, [[0x00, ...unsigned(Math.ceil(memoryBytes / pageBytes))]]],
    [7, exported],
    [10, functions.map(encodeFunction)],
    [
      11,
      segments.map(({ address, bytes }) => [
        ...[0x00, 0x41, ...signed(address), 0x0b],
        ...unsigned(bytes.length),
        ...bytes,
      ]),
    ],
  ];
  const encoded = sections.map(([id, entries]) => {
    const count = unsigned(entries.length);
    const size = entries.reduce((sum, entry) => sum + entry.length, count.length);
    return Buffer.concat([
      Uint8Array.from([id, ...unsigned(size), ...count]),
      ...entries.map((entry) => Uint8Array.from(entry)),
    ]);
  });
  return Buffer.concat([Uint8Array.of(0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00), ...encoded]);
}

/** A function as the section of code has it. */
function encodeFunction({ body: { locals, code } }: FunctionBuilder): number[] {
  // Runs of the same type, as the format wants them.
  const runs: [count: number, type: LocalType][] = [];
  for (const type of locals) {
    const last = runs.at(-1);
    if (last?.[1] === type) last[0] += 1;
    else runs.push([1, type]);
  }
  const declared = runs.flatMap(([count, type]) => [...unsigned(count), typeCodes[type]]);
  const body = [...unsigned(runs.length), ...declared, ...code, 0x0b];
  return [...unsigned(body.length), ...body];
}
