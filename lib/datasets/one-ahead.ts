/**
 * What `read` answers for 0, 1, 2 and so on, until it has nothing to read; the next answer is on its
 * way while one is worked on.
 */
export async function* oneAhead<Answer>(
  read: (place: number) => Promise<Answer> | undefined,
): AsyncGenerator<Answer> {
  const start = (place: number) => {
    const started = read(place);
    // Whoever stops early never awaits the last one.
    started?.catch(() => undefined);
    return started;
  };
  let next = start(0);
  for (let place = 1; next !== undefined; place++) {
    const answer = await next;
    next = start(place);
    yield answer;
  }
}
