import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { keys } from '../../lib/bucket/keys.ts';
import { readLane } from '../../lib/jobs/lane.ts';
import { runSlice } from '../../lib/jobs/slice.ts';
import { defineSpec, type SpecInput } from '../../lib/spec/spec.ts';
import { runJob, start } from '../support/jobs.ts';
import { createWorld, modelOf, ticketsSpec, type World } from '../support/world.ts';

const { model } = ticketsSpec;

const spec = defineSpec({
  model,
  task: 'regression',
  features: {
    x: { type: 'number' },
    town: { type: 'category', values: ['Ghent', 'Liège'], column: 'Home town' },
    flag: { type: 'category', values: ['true', 'false'] },
  },
  label: { name: 'y', column: 'weight' },
  batch: { epochs: 2, refusedShare: 0.5 },
});

const header = ['x', 'Home town', 'flag', 'weight'];
const values = Array.from({ length: 12 }, (_, i) => [
  `${i}.5`,
  i % 2 === 0 ? 'Ghent' : 'Liège',
  i % 3 === 0 ? 'True' : 'FALSE',
  String(i),
]);
const table = (delimiter: string, rows: readonly (readonly string[])[] = values) =>
  [header, ...rows].map((row) => row.join(delimiter)).join('\n');
const lines = values.map(([x, town, flag, weight]) =>
  JSON.stringify({
    x: Number(x),
    'Home town': town,
    flag: flag === 'True',
    weight: Number(weight),
  }),
);

const lineOf = (label: string): SpecInput => ({
  model,
  task: 'regression',
  features: { x: { type: 'number' } },
  label: { name: label },
});

async function worldWith(
  files: Readonly<Record<string, string | Uint8Array>>,
  own: SpecInput = spec,
): Promise<World> {
  const world = createWorld(own);
  for (const [name, body] of Object.entries(files))
    await world.store.put(`${keys.dataset('past')}${name}`, Buffer.from(body));
  return world;
}

async function progressOf(world: World) {
  const object = await world.store.get(keys.progress(model, start.job));
  return JSON.parse(Buffer.from(object?.body ?? '{}').toString());
}

/** The parameters that a job has learnt from a dataset. */
async function learntFrom(files: Parameters<typeof worldWith>[0]) {
  const world = await worldWith(files);
  await runJob(world);
  const progress = await progressOf(world);
  expect(progress.reason ?? '').not.toContain('refused');
  expect(progress).toMatchObject({ epoch: 2, refusedRows: 0, unknown: {} });
  return (await readLane(world, await modelOf(world), start))?.lane.parameters;
}

describe('a dataset as people have it', () => {
  it('is the same in every format, delimiter, encoding and spelling', async () => {
    const expected = await learntFrom({ 'a.jsonl': lines.join('\n') });
    const decimalComma = values.map((row) => row.map((cell) => cell.replace('.', ',')));
    const ways: readonly Parameters<typeof worldWith>[0][] = [
      { 'a.csv': table(',') },
      { 'a.csv': `\ufeff${table(',').replaceAll('\n', '\r\n')}\r\n` },
      { 'a.csv': table(', ') },
      { 'a.csv': table(';', decimalComma) },
      { 'a.tsv': table('\t') },
      { 'A.CSV': table('|') },
      { 'a.csv.gz': gzipSync(table(',')) },
      { 'a.csv': gzipSync(table(',')) },
      { 'a.csv': Buffer.from(`\ufeff${table(',')}`, 'utf16le') },
      { 'a.ndjson': `\ufeff\n${lines.join('\n\n')}\n` },
      { 'a.csv': table(','), _SUCCESS: '{"ok":true}', '.a.csv.crc': 'x', 'README.md': '# data' },
      { 'a.csv': [header, ...values].map((row) => `${row.join()},`).join('\n') },
    ];
    for (const files of ways) {
      expect(await learntFrom(files), Object.keys(files).join()).toEqual(expected);
    }
  });

  it('says which columns it has, where one is missing or cells are told apart otherwise', async () => {
    for (const [text, reason] of [
      [table('^'), /no row here has a column x, Home town.* \(found x\^Home town.*sep=/],
      ['<!DOCTYPE html>\n<p>404</p>', /a\.csv cannot be read: it is a page of HTML.*fetch/],
      [table(',').replace('x,', 'y,'), /no row here has a column x \(found y, Home town, flag/],
    ] as const) {
      const world = await worldWith({ 'a.csv': text });
      await runSlice(world, start, () => 100);
      expect((await progressOf(world)).reason).toMatch(reason);
    }
  });

  it('refuses bad rows with file, line, column and text, and learns the rest', async () => {
    const rows = table(',').split('\n');
    rows.splice(3, 0, '1.5,Ghent');
    rows.splice(5, 0, '1.5,Ghent,maybe "so" 12",3', '12%,Ghent,True,3', '1.5,,True,3');
    const world = await worldWith({
      'a.csv': rows.join('\n'),
      'b.jsonl': `{"x":1,"Home town":"Paris","flag":true,"weight":2}\n\n{"x":NaN}\n[1,2]\n`,
    });
    await runSlice(world, start, () => 100);
    const progress = await progressOf(world);
    expect(progress).toMatchObject({ refusedRows: 5, unknown: { town: 1, flag: 1 } });
    const record = await world.store.get(keys.quarantine(model, start.job));
    const { refused } = JSON.parse(Buffer.from(record?.body ?? '').toString());
    expect(
      refused.map(({ file, line, field, reason }: Record<string, unknown>) =>
        [file, line, field, reason].join(' | '),
      ),
    ).toEqual([
      'datasets/past/a.csv | 4 | row | it has 2 values, the header has 4 columns (found "1.5,Ghent")',
      'datasets/past/a.csv | 7 | features.x | must be a finite number (found "12%"); ' +
        'if numbers are written so, "cells": {"numbers": "1,234.5"}',
      'datasets/past/a.csv | 8 | features.town | missing (found "")',
      expect.stringMatching(/^datasets\/past\/b\.jsonl \| 3 \| row \| the line: must be JSON.*NaN/),
      expect.stringMatching(
        /^datasets\/past\/b\.jsonl \| 4 \| row \| the line must be a JSON object;/,
      ),
    ]);
  });

  it.each([
    ['a stray quote', 'x,weight\n1,1\n"3" m,2\n3,3\n4,4\n5,5\n', 1],
    ['two stray quotes', 'x,weight\n1,1\n"3" m,2\n\n"3" m,2\n4,4\n5,5\n', 2],
    ['mixed line ends', 'x,weight\r\n1,1\r\n2,2\n3,3\r\n4,4\n5,5\n', 0],
    ['two quotes far apart', 'x,weight\n1,"1\n2,2\n3,3\n4,4\n5,5"\n', 2],
    ['a quote that never closes', 'x,weight\n1,1\n2,2\n3,3\n4,4\n5,"5\n', 1],
    ['blank lines first', '\n\nx;weight\n1;1\n2;2\n3;3\n4;4\n5;5\n', 0],
    ['a missing weight of a row', 'x,weight,y\n1,,1\n2,2,2\n3,NA,3\n4,1,4\n5,1,5\n', 0],
  ])('refuses no more than the row that is wrong: %s', async (_, text, refused) => {
    const label = text.includes('y') ? 'y' : 'weight';
    const own = { ...lineOf(label), batch: { epochs: 1, refusedShare: 0.5, validation: 0 } };
    const world = await worldWith({ 'a.csv': text, '_temporary/b.csv': 'nothing' }, own);
    await runJob(world);
    expect(await progressOf(world)).toMatchObject({ rows: 5 - refused, refusedRows: refused });
  });

  it('says on which line a row begins, also behind quoted line ends', async () => {
    const text = 'x,weight,note\n1,1,"a\nb"\n2,2,\n?,3,"c\nd"\n4,4,\n';
    const own = { ...lineOf('weight'), batch: { epochs: 1, refusedShare: 0.5 } };
    const world = await worldWith({ 'a.csv': text }, own);
    await runJob(world);
    const record = await world.store.get(keys.quarantine(model, start.job));
    expect(JSON.parse(Buffer.from(record?.body ?? '').toString()).refused).toMatchObject([
      { field: 'features.x', line: 5 },
    ]);
  });

  it('fails a job of which more rows are refused than the spec allows, and says the share', async () => {
    const bad = values.map((row, i) => (i < 8 ? ['?', ...row.slice(1)] : row));
    const world = await worldWith({ 'a.csv': table(',', bad) });
    const { place } = await runJob(world);
    expect(place?.status).toBe('failed');
    expect(place?.reason).toMatch(
      /8 of 12 rows were refused, more than spec\.batch\.refusedShare \(0\.5\) allows; the first:/,
    );
    expect(place?.reason).toContain('datasets/past/a.csv, line 2, features.x: must be a finite');
    // What was refused is where its owner looks.
    expect(await progressOf(world)).toMatchObject({ rows: 4, refusedRows: 8 });
    expect(await world.store.get(keys.quarantine(model, start.job))).toBeDefined();
  });

  it('refuses one label that is out of all proportion', async () => {
    const rows = values.map((row, i) => (i === 5 ? [...row.slice(0, 3), '1e30'] : row));
    const world = await worldWith({ 'a.csv': table(',', rows) });
    await runJob(world);
    expect(await progressOf(world)).toMatchObject({ refusedRows: 1, epoch: 2 });
    const record = await world.store.get(keys.quarantine(model, start.job));
    expect(Buffer.from(record?.body ?? '').toString()).toContain('"code": "outlier"');
  });
});

describe('Parquet as pandas and Spark write it', () => {
  const number = { type: 'number' as const };
  const category = { type: 'category' as const, buckets: 1_024 };
  const pair = { type: 'vector' as const, length: 2 };

  it.each([
    ['list-int64', pair, /^$/],
    ['bool', category, /^$/],
    ['bool', number, /^$/],
    ['date', category, /^$/],
    ['date', number, /^$/],
    ['int64-big', category, /^$/],
    ['struct-features', number, /^$/],
    ['lz4', number, /^$/],
    ['delta-strings', category, /^$/],
    ['decimal', number, /^$/],
    ['int96', number, /^$/],
    ['timestamp', number, /^$/],
    ['nullable', number, /features\.x: missing/],
    ['list-in-number', number, /features\.x: must be a finite number \(found \["0"\]\)/],
    ['struct-in-category', category, /features\.x: must be a text.*\(found \{"id":"0"\}\)/],
  ])('is learnt or refused with a reason: %s', async (name, x, reason) => {
    const file = readFileSync(join(import.meta.dirname, 'parquet', `${name}.parquet`));
    const own: SpecInput = {
      model,
      task: 'regression',
      features: { x },
      label: { name: name === 'struct-features' ? 'label' : 'y' },
      batch: { epochs: 1, refusedShare: 0.5 },
    };
    const world = await worldWith({ 'a.parquet': file }, own);
    const { place } = await runJob(world);
    const progress = await progressOf(world);
    const record = await world.store.get(keys.quarantine(model, start.job));
    const { refused = [] } = JSON.parse(Buffer.from(record?.body ?? '{}').toString());
    const [first] = refused;
    const said = first === undefined ? '' : `${first.field}: ${first.reason}`;
    expect(place?.status === 'failed' ? place.reason : said).toMatch(reason);
    if (said === '' && place?.status !== 'failed') expect(progress.refusedRows).toBe(0);
  });
});

describe('a job that nobody could judge', () => {
  const rows = Array.from({ length: 40 }, (_, i) => `${i % 2},${i % 2}`);

  it('is not promoted where there is nothing to compare it on', async () => {
    const own = { ...spec, features: { x: spec.features.x ?? { type: 'number' as const } } };
    const batch = { epochs: 2, validation: 0 };
    const world = await worldWith({ 'a.csv': `x,weight\n${rows.join('\n')}` }, { ...own, batch });
    const { place } = await runJob(world);
    expect(place).toMatchObject({
      status: 'kept-champion',
      reason: expect.stringContaining('there is nothing to compare it on'),
    });
    expect(world.sentSamples).toEqual([]);
  });

  it.each([
    ['for a feature', (row: string) => row.replace(/^1,/, '?,')],
    ['for the spelling of the label', (row: string) => row.replace(/1$/, 'one')],
    ['for their shape', (row: string) => (row.startsWith('1') ? `${row},see page 3` : row)],
  ])('is not promoted where every row of a class was refused: %s', async (_, spoil) => {
    const own: SpecInput = {
      model,
      task: 'binary',
      features: { x: { type: 'number' } },
      label: { name: 'y' },
      batch: { epochs: 20, refusedShare: 0.9, validation: 0.3 },
      optimizer: { type: 'adam', rate: 0.05 },
    };
    const world = await worldWith({ 'a.csv': `x,y\n${rows.map(spoil).join('\n')}` }, own);
    const { place } = await runJob(world);
    expect(place?.status).toBe('kept-champion');
    expect(place?.reason).toContain('none of class true was learnt');
  });
});
