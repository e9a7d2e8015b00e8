import { execFile } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect } from 'vitest';
import { projectDirectory } from '../../infra/local/synthesize.ts';

/** What a shell said, and how it ended. */
export type Said = { readonly status: number; readonly output: string };

/** A text of the project. */
export const textOf = (path: string) => readFileSync(join(projectDirectory, path), 'utf8');

/** The fenced blocks of a language, in order. */
export function blocksOf(markdown: string, language: string): readonly string[] {
  const fence = new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\``, 'gms');
  return [...markdown.matchAll(fence)].map(([, block = '']) => block);
}

/** What a reader has done before: the project is installed, and the stack runs. */
export const doneAlready = /^(npm ci|npx millrace local)\s*(#.*)?$/gm;

/**
 * Runs commands as they stand, in a shell that stops at the first that fails.
 *
 * @param programs a folder whose programs come before all others
 */
export function shell(folder: string, programs: string, script: string): Promise<Said> {
  const { PATH = '', HOME = '' } = process.env;
  const env = { HOME, PATH: `${programs}:${dirname(process.execPath)}:${PATH}` };
  return new Promise((resolve) => {
    execFile('bash', ['-ec', script], { cwd: folder, env }, (error, stdout, stderr) =>
      resolve({
        status: error === null ? 0 : typeof error.code === 'number' ? error.code : 1,
        output: stdout + stderr,
      }),
    );
  });
}

/** Follows the tutorial word for word in a folder, and checks what it says on the way. */
export async function followTutorial(folder: string, programs: string): Promise<void> {
  const tutorial = textOf('docs/tutorial.md');
  const [program = ''] = blocksOf(tutorial, 'ts');
  writeFileSync(join(folder, 'station.mts'), program);
  const said: string[] = [];
  for (const block of blocksOf(tutorial, 'sh')) {
    const { status, output } = await shell(folder, programs, block.replace(doneAlready, ''));
    expect(status, `${block}\n${output}`).toBe(0);
    said.push(output);
  }
  const shown = await shell(folder, programs, 'npx millrace show weather --json');
  // (What npx says of itself comes behind.)
  expect(JSON.parse(shown.output.split('\n', 1)[0] ?? '')).toMatchObject({ learnt: 1_464 });
  const all = said.join('\n');
  expect(all).toContain('date is a time: it is learnt as weekday, dayOfYear');
  expect(all).toContain('weather: 1,461 samples in 49 messages sent');
  expect(all).toMatch(/"ok":true,"model":"weather",.*"class":"rain"/);
  expect(all).toMatch(/class: '(sun|drizzle|fog)'/);
  expect(all).toMatch(/weather-history-\S+ +(promoted|kept-champion)/);
  expect(all).toContain('largest difference 0');
  // The other spec, the rollback and the retraction, each in its turn.
  expect(all.match(/weather: done, as entry \d+/g)).toHaveLength(3);
  expect(all).toContain('✔ canary');
  expect(readFileSync(join(folder, 'weather-keras', 'model.h5')).length).toBeGreaterThan(10_000);
  expect(readFileSync(join(folder, 'predicted.csv'), 'utf8').split('\n')).toHaveLength(1_463);
}

/** The commands of `millrace` within a document's sentences, each once. */
function documentedCommands(markdown: string): readonly string[] {
  const names = 'doctor|logs|redrive|show|jobs|dataset|quarantine|rollback|retract|verify|export';
  const spans = [...markdown.replace(/\n/g, ' ').matchAll(/`([^`]+)`/g)];
  const commands = spans.flatMap(
    ([, span = '']) =>
      new RegExp(`^(?:npx millrace )?((?:${names})(?: .*)?)$`).exec(span)?.[1] ?? [],
  );
  return [...new Set(commands)];
}

/** Runs each command of docs/operations.md on the model that the tutorial leaves. */
export async function lookAfterModel(folder: string, programs: string): Promise<void> {
  const placeholders: Readonly<Record<string, string>> = {
    '<model>': 'weather',
    // Before what the tutorial retracted.
    '<the entry before>': '2',
    // A number that nobody sent is nothing to retract: the command says so.
    '<producer:seq>': 'nobody:1',
    check: 'check weather-history --model weather',
  };
  const commands = documentedCommands(textOf('docs/operations.md'));
  expect(commands.length).toBeGreaterThan(12);
  for (const command of commands) {
    const typed = Object.entries(placeholders).reduce(
      (line, [name, value]) => line.replace(name, value),
      command,
    );
    const yes = /^(rollback|retract|redrive|quarantine)/.test(typed) ? ' --dry-run' : '';
    const { status, output } = await shell(folder, programs, `npx millrace ${typed}${yes}`);
    const isNobody = typed.includes('nobody:1');
    expect(status, `${typed}\n${output}`).toBe(isNobody ? 2 : 0);
    if (isNobody) expect(output).toContain('has learnt no message nobody:1');
  }
}
