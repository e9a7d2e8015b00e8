import { type Bar, createProgress } from '../../lib/cli/progress.ts';

/** Interrupts itself while a bar runs; with an argument somebody else listens, as commands do. */
let bar: Bar | undefined;
if (process.argv.length > 2)
  process.once('SIGINT', () => {
    bar?.finish();
    process.stdout.write('it goes on\n');
    setTimeout(() => process.exit(0), 20);
  });
bar = createProgress(process.stderr, Date.now).bar('training', 10, 'samples');
setInterval(() => bar?.update(3), 10);
setTimeout(() => process.kill(process.pid, 'SIGINT'), 50);
