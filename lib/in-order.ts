/**
 * What `read` answers for 0, 1, 2 and so on, until it is false; up to `ahead` of them are under way
 * at once.
 */
export async function* inOrder<Answer>(
  ahead: number,
  read: (place: number) => Promise<Answer> | false,
): AsyncGenerator<Answer, void, void> {
  const reads: Promise<Answer>[] = [];
  let next = 0;
  try {
    for (;;) {
      while (reads.length < ahead) {
        const started = read(next);
        if (started === false) break;
        next += 1;
        // It is awaited in its turn, or not at all if one before it fails.
        started.catch(() => undefined);
        reads.push(started);
      }
      const first = reads.shift();
      if (first === undefined) return;
      yield await first;
    }
  } finally {
    await Promise.allSettled(reads);
  }
}

/** Each of some items with what `work` answers for it, in order; see {@link inOrder}. */
export async function* eachInOrder<Item, Answer>(
  ahead: number,
  items: readonly Item[],
  work: (item: Item) => Promise<Answer>,
): AsyncGenerator<readonly [Item, Answer], void, void> {
  let place = 0;
  const answers = inOrder(ahead, (next) => {
    const item = items[next];
    return item !== undefined && work(item);
  });
  for await (const answer of answers) {
    const item = items[place++];
    if (item !== undefined) yield [item, answer];
  }
}
