/** Does some work; before Ctrl-C ends the program, it tells what stays, or clears up. */
export async function whenStopped<Answer>(
  tell: () => void,
  work: () => Promise<Answer>,
): Promise<Answer> {
  const stop = () => {
    tell();
    process.exit(130);
  };
  process.once('SIGINT', stop);
  return work().finally(() => process.off('SIGINT', stop));
}
