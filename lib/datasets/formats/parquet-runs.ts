/** Runs of numbers of so many bits each: levels, and places in a dictionary. */
export type Runs = { readonly bytes: Uint8Array; readonly bits: number };

/** Writers may fill up a last run: a page may say a little more than it has. */
const surplus = 65_536;

/**
 * Looks at the runs of a page before they are written out: hyparquet 1.31 repeats a value as often
 * as a run says, whatever the page has.
 *
 * @param values how many the page has
 * @throws Error if runs, or groups of eight that are packed, say more values than there are
 */
export function assertRuns({ bytes, bits }: Runs, values: number): void {
  const view = viewOf(bytes);
  for (let [at, seen] = [0, 0]; seen < values && at < bytes.length; ) {
    const { isPacked, count, end } = headerAt(view, at);
    if (count > values + surplus)
      throw new Error(`a run of ${count} values in a page of ${values}`);
    seen += count;
    at = end + (isPacked ? (count / 8) * bits : Math.ceil(bits / 8));
  }
}

/** Whether levels of one bit are 1, as far as one run says it of all. */
export function isRunOfOnes(levels: Uint8Array, count: number): boolean {
  if (levels.length === 0) return false;
  const run = headerAt(viewOf(levels), 0);
  return !run.isPacked && run.count >= count && levels[run.end] === 1;
}

/** What a run begins with: how many values it has, and whether each has bits of its own. */
function headerAt(view: DataView, at: number) {
  let [header, end] = [0, at];
  for (let shift = 0; ; shift += 7) {
    const byte = view.getUint8(end++);
    header |= (byte & 0x7f) << shift;
    if (byte < 0x80) break;
  }
  const isPacked = (header & 1) === 1;
  return { isPacked, count: isPacked ? (header >>> 1) * 8 : header >>> 1, end };
}

/** The bytes of an array as numbers are read from them. */
export function viewOf({ buffer, byteOffset, byteLength }: Uint8Array): DataView {
  return new DataView(buffer, byteOffset, byteLength);
}
