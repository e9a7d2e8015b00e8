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
    let header = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = view.getUint8(at++);
      header |= (byte & 0x7f) << shift;
      if (byte < 0x80) break;
    }
    const isPacked = (header & 1) === 1;
    const count = isPacked ? (header >>> 1) * 8 : header >>> 1;
    if (count > values + surplus)
      throw new Error(`a run of ${count} values in a page of ${values}`);
    seen += count;
    at += isPacked ? (header >>> 1) * bits : Math.ceil(bits / 8);
  }
}

/** The bytes of an array as numbers are read from them. */
export function viewOf({ buffer, byteOffset, byteLength }: Uint8Array): DataView {
  return new DataView(buffer, byteOffset, byteLength);
}
