import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { runMillrace } from '../support/command-line.ts';

describe('what needs no stack', () => {
  const directory = mkdtempSync(join(tmpdir(), 'millrace-'));
  afterAll(() => rmSync(directory, { recursive: true }));
  const file = (name: string) => join(directory, name);
  const millrace = (...command: string[]) => runMillrace(command, {});

  it('drafts with doubts: words that may be values, weights, ids and dates', async () => {
    const rows = Array.from({ length: 300 }, (_, i) =>
      [
        `id-${i}`,
        i % 3 === 0 ? 'None' : 'hit',
        i % 7,
        `Jan ${1 + (i % 28)} 2001`,
        1,
        i % 2 === 0,
      ].join(),
    );
    writeFileSync(file('doubts.csv'), `id,damage,size,day,weight,late\n${rows.join('\n')}\n`);
    const { stdout } = await millrace(
      'init',
      file('doubts.csv'),
      '--out',
      file('d.json'),
      '--json',
    );
    const { spec, left, doubts } = JSON.parse(stdout);
    expect(Object.keys(spec.features)).toEqual(['damage', 'size', 'size_value']);
    expect(left.map(({ column }: { column: string }) => column)).toEqual(['id', 'day']);
    expect(doubts.join('\n')).toMatch(/damage: 100 cells are "None", which counts as missing/);
    expect(doubts.join('\n')).toMatch(/weight is left out/);
    writeFileSync(file('header.csv'), 'a,b\n');
    expect((await millrace('init', file('header.csv'), '--out', file('h.json'))).stderr).toContain(
      'it has no rows to draft a spec from',
    );
  });

  it('writes out what would move the cursor, and keeps to 80 columns, whatever a file holds', async () => {
    const [red, bell] = ['\u001b[31m', '\u0007'];
    const head = `"${red}red",b${bell},${'long '.repeat(30)},${'x'.repeat(300)},label`;
    const rows = Array.from({ length: 60 }, (_, i) => `${i % 7},${red}${i % 3},2,3,${i % 11}`);
    writeFileSync(file('odd.csv'), [head, ...rows].join('\n'));
    const { stdout, status } = await millrace('init', file('odd.csv'), '--out', file('o.json'));
    expect(status).toBe(0);
    expect(stdout).toContain('\\u001b[31mred');
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
    expect(stdout).not.toMatch(/[\x00-\x09\x0b-\x1f\x7f]/);
    for (const line of stdout.split('\n')) expect(line.length, line).toBeLessThanOrEqual(80);
  });

  it('teaches by examples, in 80 columns, and completes', async () => {
    const { stdout } = await millrace('--help');
    const commands = [...stdout.matchAll(/^ {2}([a-z]+) .*/gm)].map(([, name = '']) => name);
    expect(commands).toContain('evaluate');
    for (const line of stdout.split('\n')) expect(line.length, line).toBeLessThanOrEqual(80);
    for (const name of commands.filter((each) => !['npx', 'help', 'dataset'].includes(each))) {
      const help = (await millrace(name, '--help')).stdout;
      expect(help, name).toContain('Examples:\n');
      for (const line of help.split('\n')) expect(line.length, line).toBeLessThanOrEqual(80);
    }
    const unknown = await millrace('help', 'nope');
    expect([unknown.status, unknown.stderr]).toEqual([2, "error: unknown command 'nope'\n"]);
    const asked = await millrace('nope', '--help');
    expect([asked.status, asked.stderr]).toEqual([2, unknown.stderr]);
    const json = await millrace('train', 'm', '--json');
    expect(JSON.parse(json.stdout)).toEqual({ error: "missing required argument 'dataset'" });
    const script = (await millrace('completion')).stdout;
    expect(script).toContain(
      'send) words="--rate --per-message --id --follow --from --json --stack --help" ;;',
    );
  });
});
