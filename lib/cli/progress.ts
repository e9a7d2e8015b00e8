import { stripVTControlCharacters, styleText } from 'node:util';
import cliProgress from 'cli-progress';

/** A bar that is under way. `fields` are shown behind it, in their order. */
export type Bar = {
  readonly update: (done: number, fields?: Readonly<Record<string, string>>) => void;
  readonly finish: () => void;
};

/** What a person sees of a long run. */
export type Progress = {
  readonly step: (text: string) => void;
  readonly bar: (title: string, total: number, unit: string) => Bar;
};

/**
 * Bars with rate and time left on a terminal; elsewhere a line every few seconds.
 *
 * @param now milliseconds
 */
export function createProgress(stream: NodeJS.WriteStream, now: () => number): Progress {
  return {
    step: (text) => void stream.write(`${styleText('green', '✔', { stream })} ${text}\n`),
    bar: (title, total, unit) => createBar(stream, now, { title, total, unit }),
  };
}

const rateWindowMilliseconds = 15_000;

function createBar(
  stream: NodeJS.WriteStream,
  now: () => number,
  { title, total, unit }: { readonly title: string; readonly total: number; readonly unit: string },
): Bar {
  /** Where the bar stood in the last seconds; the rate is that of this window. */
  let history: { readonly time: number; readonly done: number }[] = [];
  let current = 0;
  let fields: Readonly<Record<string, string>> = {};
  const bar = new cliProgress.SingleBar({
    stream,
    noTTYOutput: true,
    notTTYSchedule: 5_000,
    hideCursor: true,
    barsize: 12,
    barCompleteChar: '█',
    barIncompleteChar: '░',
    format(options, { progress }) {
      const { time = now(), done = current } = history[0] ?? {};
      const rate = (1_000 * (current - done)) / Math.max(now() - time, 1);
      if (!Number.isFinite(total)) {
        const shownRate = rate > 0 ? `  ${formatCount(rate)}/s` : '';
        return `  ${title.padEnd(8)} ${formatCount(current)} ${unit}${shownRate}`;
      }
      const left = rate > 0 ? formatSeconds((total - current) / rate) : '–';
      const behind = Object.entries(fields).map(([name, value]) => `${name} ${value}`);
      const percent = `${Math.floor(progress * 100)}%`.padStart(4);
      // What stands behind the bar needs the room of 80 columns.
      const each = behind.length > 0 ? '' : ` ${unit}`;
      return [
        `  ${title.padEnd(8)} ${cliProgress.Format.BarFormat(progress, options)} ${percent}`,
        rate > 0 && rate < 1
          ? `${formatCount(60 * rate)}${each}/min`
          : `${formatCount(rate)}${each}/s`,
        `${left} left`,
        ...behind,
      ].join('  ');
    },
  });
  bar.start(total, 0);
  // Whatever ends the program, the terminal has its cursor again.
  const stop = () => bar.stop();
  const interrupt = () => {
    stop();
    if (process.listenerCount('SIGINT') === 0) process.exit(130);
  };
  // (First of all: those who listen once are gone when they were told.)
  process.once('exit', stop).prependOnceListener('SIGINT', interrupt);
  return {
    update(done, newFields = fields) {
      history = [
        ...history.filter(({ time }) => now() - time < rateWindowMilliseconds),
        { time: now(), done },
      ];
      current = done;
      fields = newFields;
      bar.update(Math.min(done, total));
    },
    finish() {
      process.off('exit', stop).off('SIGINT', interrupt);
      bar.stop();
    },
  };
}

/** A count with separators: `458,171`. */
export function formatCount(count: number): string {
  return Math.round(count).toLocaleString('en-US');
}

/** A duration: `0:07`, `12:34`. */
export function formatSeconds(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, '0')}`;
}

/** Columns of a terminal that nobody has made wider. */
export const columns = 80;

/** A sentence in lines of at most 80 columns: the first set in by two, or by `mark`, others more. */
export function wrapped(text: string, mark = '  ', indent = '    '): readonly string[] {
  const lines: string[] = [];
  let [line, start] = ['', mark];
  for (const word of text.split(/\s+/)) {
    const next = line === '' ? word : `${line} ${word}`;
    if (line !== '' && stripVTControlCharacters(start).length + next.length > columns) {
      lines.push(start + line);
      [line, start] = [word, indent];
    } else line = next;
  }
  return [...lines, start + line];
}

const blocks = '▁▂▃▄▅▆▇█';

/** Values as a line of blocks, from the lowest to the highest of them; a space for none. */
export function sparkline(values: readonly (number | undefined)[]): string {
  const known = values.flatMap((value = Number.NaN) => (Number.isFinite(value) ? [value] : []));
  const [least, most] = [Math.min(...known), Math.max(...known)];
  return values
    .map((value) => {
      if (value === undefined || !Number.isFinite(value)) return ' ';
      const share = most > least ? (value - least) / (most - least) : 0;
      return blocks[Math.min(blocks.length - 1, Math.floor(share * blocks.length))] ?? ' ';
    })
    .join('');
}

/** Rows as text, the first column left-aligned and the others right-aligned. */
export function formatTable(rows: readonly (readonly string[])[]): string {
  const widths = rows.reduce<number[]>(
    (all, row) => row.map((cell, column) => Math.max(all[column] ?? 0, cell.length)),
    [],
  );
  const align = (cell: string, column: number) =>
    column === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[column] ?? 0);
  const text = widths.reduce((sum, width) => sum + width, 2);
  const gap = [3, 2].find((each) => text + each * (widths.length - 1) <= columns) ?? 1;
  return rows.map((row) => `  ${row.map(align).join(' '.repeat(gap))}`).join('\n');
}

/** A number of four digits, one of five to fifteen in full; – where there is none. */
export function figure(value: number | null | undefined): string {
  if (value === undefined || value === null || !Number.isFinite(value)) return '–';
  const size = Math.abs(value);
  if (size >= 1e15) return value.toExponential(3);
  return size >= 10_000 ? formatCount(value) : String(Number(value.toPrecision(4)));
}

/** A bar of entries, whose number is known once the first is done; none without a screen. */
export function entriesBar(progress: Progress | undefined, title: string) {
  let bar: Bar | undefined;
  return {
    update(done: number, total: number) {
      bar ??= progress?.bar(title, total, 'entries');
      bar?.update(done);
    },
    finish: () => bar?.finish(),
  };
}

/** `rootMeanSquaredError` as people write it. */
export function wordsOf(name: string): string {
  return name
    .replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`)
    .replace('cohens', "Cohen's")
    .replace('r squared', 'R²');
}
