import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runMillrace } from '../support/command-line.ts';
import { startTestCloud, type TestCloud, until } from '../support/test-cloud.ts';

const weather = new URL('../data/seattle-weather.csv', import.meta.resolve('vega-datasets'));
const cars = new URL('../data/cars.json', import.meta.resolve('vega-datasets'));

describe('own data in, predictions out', () => {
  let test: TestCloud;
  beforeAll(async () => {
    test = await startTestCloud();
  });
  afterAll(() => test.remove());

  const file = (name: string) => join(test.directory, name);
  const millrace = (...command: string[]) => runMillrace(command, test.cloud.environment);
  /** The JSON that a command prints for programs. */
  const json = async (...command: string[]) => {
    const { status, stdout, stderr } = await millrace(...command, '--json');
    if (stdout === '') throw new Error(`${command.join(' ')} ended with ${status}: ${stderr}`);
    return JSON.parse(stdout);
  };
  const learnt = (model: string, count: number) =>
    until(async () => {
      const shown = await json('show', model);
      return shown.learnt >= count ? shown : undefined;
    });

  it('goes from a CSV file to predictions, with a stream of classes', async () => {
    writeFileSync(file('weather.csv'), readFileSync(weather));
    const spec = file('weather.json');
    const drafted = await millrace(
      'init',
      file('weather.csv'),
      '--label',
      'weather',
      '--out',
      spec,
    );
    expect(drafted).toMatchObject({ status: 0, stdout: expect.stringContaining('date is a time') });
    const again = await millrace('init', file('weather.csv'), '--out', spec);
    expect(again.stderr).toContain('it is there already');
    // As if a person had left the date out: programs ask with what is left.
    const { features, ...rest } = JSON.parse(readFileSync(spec, 'utf8'));
    const { date: _, ...readings } = features;
    writeFileSync(spec, JSON.stringify({ ...rest, features: readings }));
    expect((await millrace('create', spec)).stdout).toContain('weather: created');
    expect((await millrace('create', spec)).stdout).toContain('it exists already');

    const sent = await json('send', 'weather', file('weather.csv'));
    expect(sent).toMatchObject({ samples: 1_461, messages: 49, settledBefore: 0, bad: [] });
    const shown = await learnt('weather', 1_461);
    expect((await millrace('watch', 'weather', '--seconds', '1')).stdout).toMatch(
      /^weather: entry \d+ {2}samples {2}\d+ samples {2}loss [\d.]+\n$/,
    );
    // Sent again, it changes nothing.
    expect(await json('send', 'weather', file('weather.csv'))).toMatchObject({
      messages: 0,
      settledBefore: 49,
    });
    expect(shown.stream.loss).toBeLessThan(shown.stream.baselineLoss);
    expect(shown.stream.accuracy).toBeGreaterThan(shown.stream.baselineAccuracy);
    expect((await millrace('show', 'weather')).stdout).toMatch(
      /before learning +the labels alone +the last label/,
    );

    const csv = (await millrace('predict', 'weather', file('weather.csv'))).stdout
      .trim()
      .split('\n');
    expect(csv).toHaveLength(1_462);
    expect(csv[0]).toMatch(/^date,.*,weather,predicted,predicted_probability_drizzle/);
    const evaluated = await json('evaluate', 'weather', file('weather.csv'));
    expect(evaluated.samples).toBe(1_461);
    expect(evaluated.confusion.counts.flat().reduce((a: number, b: number) => a + b)).toBe(1_461);
    expect(evaluated.accuracy).toBeGreaterThan(0.6);
    const column = csv[0]?.split(',').indexOf('predicted') ?? -1;
    const right = csv.slice(1).filter((line) => line.split(',')[column] === line.split(',')[5]);
    expect(right.length / 1_461).toBeCloseTo(evaluated.accuracy, 10);
  });

  it('takes a model away, as files that others read', async () => {
    const files = {
      tfjs: ['model.json', 'weights.bin'],
      onnx: ['model.onnx'],
      safetensors: ['model.safetensors'],
      keras: ['model.h5'],
    };
    for (const [format, own] of Object.entries(files)) {
      const folder = file(`weather-${format}`);
      const exported = await json('export', 'weather', '--format', format, '--out', folder);
      expect(exported.files).toEqual([...own, 'inputs.json', 'README.md']);
      const card = readFileSync(join(folder, 'README.md'), 'utf8');
      expect(card).toContain('| learnt | 1,461 samples of its stream |');
    }
    const question = { precipitation: 3, temp_max: 12, temp_min: 5, wind: 4 };
    writeFileSync(file('question.jsonl'), JSON.stringify(question));
    const { stdout } = await millrace('predict', 'weather', file('question.jsonl'));
    const { inputs, label } = JSON.parse(
      readFileSync(join(file('weather-onnx'), 'inputs.json'), 'utf8'),
    );
    const session = await InferenceSession.create(join(file('weather-onnx'), 'model.onnx'));
    const feeds = inputs.map(({ name }: { name: keyof typeof question }) => [
      name,
      new Tensor('float64', [question[name]], [1, 1]),
    ]);
    const { prediction } = await session.run(Object.fromEntries(feeds));
    const shares = prediction?.data as Float32Array;
    const best = shares.reduce((most, each, i, all) => (each > (all[most] ?? 0) ? i : most), 0);
    expect(JSON.parse(stdout).predicted).toBe(label.classes[best]);
    // And brought in again, it goes on as another model.
    const spec = JSON.parse(readFileSync(file('weather.json'), 'utf8'));
    writeFileSync(file('copy.json'), JSON.stringify({ ...spec, model: 'copy' }));
    const weights = join(file('weather-safetensors'), 'model.safetensors');
    expect((await millrace('import', file('copy.json'), weights)).stdout).toContain(
      'copy: created',
    );
    expect((await millrace('predict', 'copy', file('question.jsonl'))).stdout).toBe(stdout);

    const quiet = await millrace('export', 'weather', '--format', 'tfjs', '--out', file('q'));
    expect(quiet.stderr).toBe('');
    expect((await millrace('export', 'weather', '--format', 'pickle')).stderr).toContain('tfjs');
    const nowhere = ['export', 'weather', '--format', 'tfjs', '--out', '/proc/none/below'];
    const unwritten = /--out .*: cannot be written: there is no such folder/;
    expect((await millrace(...nowhere)).stderr).toMatch(unwritten);
    expect((await millrace('export', 'weathr', '--format', 'tfjs')).stderr).toContain('no model');
  });

  it('trains a batch job over a dataset, and shows it to its end', async () => {
    const rows: object[] = JSON.parse(readFileSync(cars, 'utf8'));
    const lines = rows.map((row) => JSON.stringify(row));
    writeFileSync(file('cars.jsonl'), `${lines.join('\n')}\n{"Horsepower": "much"`);
    const spec = file('cars.json');
    const drafted = await json('init', file('cars.jsonl'), '--label', 'Horsepower', '--out', spec);
    expect(drafted.spec).toMatchObject({ model: 'cars', task: 'regression' });
    expect(drafted.spec.features.Miles_per_Gallon).toEqual({ type: 'number', missing: 'mean' });
    await millrace('create', spec);
    expect((await millrace('train', 'cars', 'cars')).stderr).toContain('there is no dataset cars');
    const put = () => json('dataset', 'put', 'cars', file('cars.jsonl'));
    expect((await put()).uploaded).toEqual(['datasets/cars/cars.jsonl']);
    expect((await put()).unchanged).toEqual(['datasets/cars/cars.jsonl']);
    expect(await json('dataset', 'ls')).toMatchObject([{ dataset: 'cars', files: 1 }]);
    const shown = await millrace('dataset', 'show', 'cars');
    expect(shown.stdout).toMatch(/column +kind +missing +values\n.*[▁█].* … /s);
    const checked = await millrace('dataset', 'check', 'cars', '--model', 'cars');
    expect(checked.stdout).toMatch(/cars\.jsonl, line 407, row: the line: must be JSON/);
    expect(checked).toMatchObject({
      status: 0,
      stdout: expect.stringContaining('a job would train'),
    });

    const validated = await millrace('kfold', 'cars', 'cars', '--folds', '3');
    const [head, ...folds] = validated.stdout.split('\n');
    expect(head).toMatch(/^ +fold +learnt +held out +epochs +loss +MAE +R² +labels alone$/);
    expect(folds.slice(0, 3).every((line) => /^ +\d/.test(line))).toBe(true);
    expect(folds.slice(3).map((line) => line.trim().split(' ')[0])).toEqual(['mean', '±', '']);

    const trained = await millrace('train', 'cars', 'cars', '--job', 'first', '--watch');
    expect(trained).toMatchObject({
      status: 0,
      stdout: expect.stringContaining('promoted by entry'),
    });
    expect(await json('jobs', 'cars')).toMatchObject([{ job: 'first', status: 'promoted' }]);
    const { rSquared, refused } = await json('evaluate', 'cars', file('cars.jsonl'));
    expect(rSquared).toBeGreaterThan(0.5);
    // Six cars have no horsepower, and one line is no JSON.
    expect(refused).toBe(7);
    expect(await json('ls')).toMatchObject([
      { model: 'cars' },
      { model: 'copy' },
      { model: 'weather' },
    ]);
  });

  it('takes what is piped in, and answers in the same form', async () => {
    const row = { precipitation: 12, temp_max: 8, temp_min: 5, wind: 4 };
    const input = `${JSON.stringify({ ...row, weather: 'rain' })}\n`;
    const piped = (...command: string[]) => runMillrace(command, test.cloud.environment, { input });
    expect((await piped('send', 'weather', '-')).stdout).toContain('1 sample in 1 message sent');
    await learnt('weather', 1_462);
    const { stdout } = await piped('predict', 'weather', '-');
    expect(JSON.parse(stdout)).toMatchObject({ ...row, predicted: 'rain' });
    const out = file('predicted.csv');
    await piped('predict', 'weather', '-', '--out', out);
    expect(readFileSync(out, 'utf8')).toMatch(/^precipitation,.*\n12,8,5,4,rain,rain,/);

    // A table too, whose refused row comes late; and rows of JSON with columns of their own.
    const table = [
      'precipitation,temp_max,temp_min,wind',
      ...Array(20_000).fill('12,8,5,4'),
      '12,much,5,4',
    ];
    const predicted = await runMillrace(['predict', 'weather', '-'], test.cloud.environment, {
      input: table.join('\n'),
    });
    const lines = predicted.stdout.trim().split('\n');
    expect(lines).toHaveLength(20_002);
    expect(lines[0]).toMatch(/^precipitation,temp_max,temp_min,wind,predicted,.*,refused$/);
    expect(lines[1]).toMatch(/^12,8,5,4,rain,.*,$/);
    expect(lines.at(-1)).toMatch(/^12,much,5,4,,.*features.temp_max: must be a finite number/);
    writeFileSync(
      file('late.jsonl'),
      `${JSON.stringify(row)}\n${JSON.stringify({ ...row, id: 7 })}`,
    );
    const asParquet = ['predict', 'weather', file('weather.csv'), '--out', file('x.parquet')];
    expect((await millrace(...asParquet)).stderr).toContain('--out: must end with .csv or .jsonl');
    const late = await millrace('predict', 'weather', file('late.jsonl'), '--format', 'csv');
    expect(late.stdout).toMatch(
      /^precipitation,temp_max,temp_min,wind,id,predicted.*\n12,8,5,4,,rain.*\n12,8,5,4,7,rain/,
    );
  });

  it('says what will not be learnt, and learns nothing twice under another cut', async () => {
    writeFileSync(
      file('bad.csv'),
      'precipitation,temp_max,temp_min,wind,weather\n1,2,1,3,rain\n1,much,1,3,rain\n2,2,1,3,hail\n',
    );
    const sent = await millrace('send', 'weather', file('bad.csv'));
    expect(sent.stdout).toContain('line 3, features.temp_max: must be a finite number');
    expect(sent.stdout).toContain('2 rows cannot be learnt, and will be refused');
    await learnt('weather', 1_463);
    const again = await millrace('send', 'weather', file('weather.csv'), '--per-message', '100');
    expect(again).toMatchObject({
      status: 2,
      stderr: expect.stringContaining('--per-message 30'),
    });
    const refused = await millrace('quarantine', 'weather');
    expect(refused.stdout).toContain('1 × features.temp_max not-finite\n1 × label unknown-class');
    writeFileSync(file('empty.csv'), 'precipitation,weather\n');
    expect((await millrace('send', 'weather', file('empty.csv'))).status).toBe(1);
    // What was sent as rows is unlearnt as rows.
    const unlearnt = await millrace(
      'retract',
      'weather',
      '--samples',
      file('weather.csv'),
      '--dry-run',
    );
    expect(unlearnt.stdout).toContain('unlearn 1,461 samples of');
  });

  it('writes predictions over the file that it reads, and none where they cannot be written', async () => {
    writeFileSync(file('over.csv'), 'precipitation,temp_max,temp_min,wind\n12,8,5,4\n');
    expect(
      await millrace('predict', 'weather', file('over.csv'), '--out', file('over.csv')),
    ).toMatchObject({ status: 0 });
    expect(readFileSync(file('over.csv'), 'utf8')).toMatch(/^precipitation,.*\n12,8,5,4,rain,/);
    const out = join(test.directory, 'none', 'x.csv');
    const { status, stderr } = await millrace('predict', 'weather', file('over.csv'), '--out', out);
    expect([status, stderr]).toEqual([2, expect.stringContaining('there is no such folder')]);
  });

  it('refuses the id of a job that was, and a dataset that would fail', async () => {
    expect((await millrace('train', 'cars', 'cars', '--job', 'first')).stderr).toContain(
      'job: cars has a job first already',
    );
    expect((await millrace('dataset', 'put', 'journal', file('cars.jsonl'))).stderr).toContain(
      'journal stands for the samples that arrived',
    );
    expect((await millrace('dataset', 'put', 'other', 'package.json')).stderr).toContain(
      'its name must end with',
    );
    expect(JSON.parse((await millrace('show', 'nobody', '--json')).stdout)).toEqual({
      error: expect.stringContaining('there is no model nobody'),
    });
  });

  it('finds the local stack by itself, and says what to do where there is none', async () => {
    const { environment } = test.cloud;
    const directory = test.directory;
    const none = { ...environment, MILLRACE_BUCKET: '' };
    expect(await runMillrace(['ls'], none, { directory })).toMatchObject({
      status: 2,
      stderr: expect.stringMatching(/no stack: run `npx millrace local` here, or name .*--stack/),
    });
  });

  it.each([
    [['snd', 'x'], "unknown command 'snd'\n(Did you mean send?)"],
    [['show', 'weather', '--entires', '3'], 'Did you mean --entries?'],
    [['show', 'weather', '--entries', 'many'], 'It must be a whole number of at least 0.'],
    [['show', 'weather', '--entries', '1', '--entries', '2'], 'It is given twice.'],
    [['show', 'nobody'], 'there is no model nobody'],
    [['create', 'none.json'], 'none.json cannot be read'],
    [['send', 'weather', 'none.csv'], 'none.csv cannot be read'],
    [['predict', 'weather', 'package.json'], 'its name must end with .jsonl'],
    [['init', 'package.json', '--model', 'Bad Name'], "a model's name must be"],
    [['predict', 'weather', 'x.csv', '--format', 'xml'], 'Allowed choices are csv, jsonl'],
    [['dataset', 'put', 'Sales', 'rows.csv'], "a dataset's name must be"],
    [['init', 'none.csv'], 'none.csv cannot be read'],
  ])('says what is wrong with %j', async (command, reason) => {
    const { status, stderr, stdout } = await millrace(...command);
    expect(stderr).toContain(reason);
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
  });
});
