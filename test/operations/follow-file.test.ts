import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Followed, followFile } from '../../lib/operations/follow-file.ts';
import type { GrowingFile } from '../../lib/operations/growing-rows.ts';
import { ticketsSpec } from '../support/world.ts';

/** A file in memory that grows. */
function growing(name: string): GrowingFile & { readonly append: (text: string) => void } {
  let content = Buffer.alloc(0);
  return {
    name,
    append: (text) => {
      content = Buffer.concat([content, Buffer.from(text)]);
    },
    size: async () => content.length,
    read: async (start, most) => content.subarray(start, start + most),
  };
}

class Crash extends Error {}

const row = (i: number) => JSON.stringify({ urgency: i, team: 'red', label: i % 2 === 0 });

/** Follows a file over crashes, and answers what a model would have learnt, each number once. */
async function learntOver(
  file: ReturnType<typeof growing>,
  appends: readonly string[],
  crashes: ReadonlySet<number>,
  samplesPerMessage: readonly number[],
): Promise<readonly number[]> {
  const learnt = new Map<number, string>();
  let kept: Followed = { producer: 'follow-1', seq: 1, sent: 0 };
  let calls = 0;
  let next = 0;
  const step = () => {
    if (crashes.has(calls++)) throw new Crash();
  };
  for (let run = 0; ; run++) {
    try {
      await followFile(
        {
          async sendSamples({ body }) {
            step();
            const { seq, samples } = JSON.parse(body);
            const before = learnt.get(seq);
            // The same number must be the same content.
            expect(before ?? JSON.stringify(samples)).toBe(JSON.stringify(samples));
            learnt.set(seq, JSON.stringify(samples));
            step();
          },
        },
        ticketsSpec,
        file,
        {
          from: kept,
          keep: async (followed) => {
            step();
            kept = followed;
          },
          samplesPerMessage: samplesPerMessage[run % samplesPerMessage.length] ?? 1,
          wait: async () => {
            const text = appends[next++];
            if (text === undefined) return false;
            file.append(text);
            return true;
          },
          onSent: () => undefined,
        },
      );
      break;
    } catch (error) {
      if (!(error instanceof Crash)) throw error;
    }
  }
  const numbers = [...learnt.keys()].sort((a, b) => a - b);
  expect(numbers).toEqual(numbers.map((_, i) => i + 1));
  return numbers.flatMap((seq) =>
    JSON.parse(learnt.get(seq) ?? '[]').map(({ features }: { features: { urgency: number } }) =>
      Number(features.urgency),
    ),
  );
}

describe('a file that is followed', () => {
  it.each(['rows.jsonl', 'rows.csv'])('is learnt line by line, once, over crashes: %s', (name) =>
    fc.assert(
      fc.asyncProperty(
        fc.array(fc.nat({ max: 40 }), { maxLength: 12 }),
        fc.uniqueArray(fc.nat({ max: 60 }), { maxLength: 8 }),
        fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 1, maxLength: 4 }),
        fc.integer({ min: 0, max: 30 }),
        async (cuts, crashes, sizes, count) => {
          const isCsv = name.endsWith('.csv');
          const rows = Array.from({ length: count }, (_, i) =>
            isCsv ? `${i},red,${i % 2 === 0}` : row(i),
          );
          const text = [...(isCsv ? ['urgency,team,label'] : []), ...rows]
            .map((line) => `${line}\n`)
            .join('');
          // Written in pieces that end anywhere.
          const appends: string[] = [];
          let at = 0;
          for (const cut of cuts) {
            appends.push(text.slice(at, at + cut));
            at += cut;
          }
          appends.push(text.slice(at));
          const learnt = await learntOver(growing(name), appends, new Set(crashes), sizes);
          expect(learnt).toEqual(rows.map((_, i) => i));
        },
      ),
    ),
  );

  it('is not followed where it has no lines, or became shorter', async () => {
    const options = {
      from: { producer: 'p', seq: 2, sent: 10 },
      keep: async () => undefined,
      wait: async () => false,
      onSent: () => undefined,
    };
    const send = { sendSamples: async () => undefined };
    await expect(followFile(send, ticketsSpec, growing('a.parquet'), options)).rejects.toThrow(
      'only .csv, .tsv, .jsonl and .ndjson files are followed',
    );
    await expect(followFile(send, ticketsSpec, growing('a.jsonl'), options)).rejects.toThrow(
      'a.jsonl became shorter: 0 bytes, 10 were sent',
    );
  });

  it('is not followed where another file has its name, however long', async () => {
    const file = growing('rows.jsonl');
    file.append(`${row(1)}\n`);
    let kept: Followed = { producer: 'follow-1', seq: 1, sent: 0 };
    const sent: string[] = [];
    const follow = (of: GrowingFile) =>
      followFile({ sendSamples: async ({ body }) => void sent.push(body) }, ticketsSpec, of, {
        from: kept,
        keep: async (followed) => {
          kept = followed;
        },
        wait: async () => false,
        onSent: () => undefined,
      });
    await follow(file);
    const other = growing('rows.jsonl');
    other.append(`${row(5)}\n${row(6)}\n`);
    await expect(follow(other)).rejects.toThrow('rows.jsonl is another file');
    expect(sent).toHaveLength(1);
    file.append(`${row(2)}\n`);
    await follow(file);
    expect(sent).toHaveLength(2);
  });
});

describe('a table that is followed', () => {
  const head = 'urgency,team,label\n';
  /** What is sent of some texts that are appended one after another, and what is not. */
  async function sentOf(texts: readonly string[], samplesPerMessage = 500, first = head) {
    const file = growing('log.csv');
    file.append(first);
    const sent: { features: { team: string }; label: string }[] = [];
    const unsent: string[] = [];
    const left = [...texts];
    await followFile(
      { sendSamples: async ({ body }) => void sent.push(...JSON.parse(body).samples) },
      ticketsSpec,
      file,
      {
        from: { producer: 'follow-1', seq: 1, sent: 0 },
        keep: async () => undefined,
        samplesPerMessage,
        wait: async () => {
          const next = left.shift();
          if (next !== undefined) file.append(next);
          return next !== undefined;
        },
        onSent: (_, bad) =>
          void unsent.push(...bad.map(({ line, reason }) => `${line}: ${reason}`)),
      },
    );
    return { teams: sent.map(({ features }) => features.team), unsent };
  }

  it('keeps cells of several lines whole, wherever its writer pauses', async () => {
    const row = (i: number) => `${i},"red ${i}\n""and"" more, of\nit",true\n`;
    const all = Array.from({ length: 5 }, (_, i) => row(i)).join('');
    const wanted = [0, 1, 2, 3, 4].map((i) => `red ${i}\n"and" more, of\nit`);
    for (let cut = 1; cut < all.length; cut += 7) {
      const parts = [all.slice(0, cut), all.slice(cut)];
      for (const most of [1, 2, 500]) {
        const { teams, unsent } = await sentOf(parts, most);
        expect(teams).toEqual(wanted);
        expect(unsent).toEqual([]);
      }
    }
  });

  it('refuses the line of a quote without an end alone, and says which', async () => {
    const rows = Array.from({ length: 9 }, (_, i) => `${i},blue,false\n`).join('');
    const { teams, unsent } = await sentOf([`1,red,true\n2,"broken,true\n`, rows]);
    expect(teams).toEqual(['red', ...Array.from({ length: 9 }, () => 'blue')]);
    expect(unsent).toEqual([expect.stringMatching(/^3: a quote has no end/)]);
  });

  it('has a line before its header that tells the delimiter', async () => {
    const { teams } = await sentOf(
      [`1;"red;\nblue";true\n`],
      500,
      `sep=;\n${head.replaceAll(',', ';')}`,
    );
    expect(teams).toEqual(['red;\nblue']);
  });

  it('reads rows whole that are longer than what is read at once, and between', async () => {
    const long = Array.from({ length: 9 }, (_, i) => `line ${i} ${'z'.repeat(90)}`).join('\n');
    const many = Array.from({ length: 700 }, (_, i) => `${i},"${long} ${i}",true\n`);
    const { teams, unsent } = await sentOf([many.join('')], 40);
    expect(teams).toEqual(many.map((_, i) => `${long} ${i}`));
    expect(unsent).toEqual([]);
  });

  it.each([
    ['an empty line before it', `\n${head}`],
    ['a mark', `\u{feff}${head}`],
    ['a mark, and quotes', `\u{feff}"urgency",team,"label"\n`],
    ['a mark, a line that tells the delimiter, and an empty one', `\u{feff}sep=,\n\n${head}`],
  ])('has a header with %s, in each message', async (_, first) => {
    const rows = ['1,red,true\n', '2,blue,false\n', '3,green,true\n'];
    const { teams, unsent } = await sentOf(rows, 1, first);
    expect([teams, unsent]).toEqual([['red', 'blue', 'green'], []]);
  });

  it('makes a message again of the same rows, behind a quote without an end', async () => {
    const file = growing('log.csv');
    const rows = Array.from({ length: 9 }, (_, i) => `${i},blue${i},false\n`).join('');
    file.append(`${head}0,red,true\n1,"broken,true\n${rows}`);
    const bodies = new Map<number, string>();
    let kept: Followed = { producer: 'follow-1', seq: 1, sent: 0 };
    for (let crash = 1; crash < 12; crash++) {
      let calls = 0;
      const step = () => {
        calls += 1;
        if (calls === crash) throw new Crash();
      };
      const run = followFile(
        {
          async sendSamples({ body }) {
            const { seq } = JSON.parse(body);
            expect(bodies.get(seq) ?? body).toBe(body);
            bodies.set(seq, body);
            step();
          },
        },
        ticketsSpec,
        file,
        {
          from: kept,
          keep: async (followed) => {
            kept = followed;
            step();
          },
          samplesPerMessage: 3,
          wait: async () => false,
          onSent: () => undefined,
        },
      );
      await run.catch((error) => expect(error).toBeInstanceOf(Crash));
    }
    const sent = [...bodies.values()].flatMap((body) => JSON.parse(body).samples);
    expect(sent.length).toBe(10);
  });

  it.each([
    ['l.jsonl', `${row(1)}\r${row(2)}\r`, 'carriage returns alone'],
    ['l.csv', `${head}1,red,true\n`.replaceAll('\n', '\r'), 'carriage returns alone'],
    ['l.csv', '\u{feff}', 'a file of UTF-16 cannot be followed'],
  ])('says why %s is not followed', async (name, text, reason) => {
    const file = growing(name);
    file.append(text);
    const bytes = reason.includes('UTF-16') ? Buffer.from(text, 'utf16le') : Buffer.from(text);
    const run = followFile(
      { sendSamples: async () => undefined },
      ticketsSpec,
      { ...file, size: async () => bytes.length, read: async (from) => bytes.subarray(from) },
      {
        from: { producer: 'follow-1', seq: 1, sent: 0 },
        keep: async () => undefined,
        wait: async () => false,
        onSent: () => undefined,
      },
    );
    await expect(run).rejects.toThrow(reason);
  });
});
